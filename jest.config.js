/** Node strips the types itself: no second compiler between the code and its tests. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/{unit,integration}/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/strip-types.js' },
  testTimeout: 60_000,
  // Most of the time goes into waiting: one worker less than there are processors would be one.
  maxWorkers: 2,
};
