import { SatelliteError } from '../errors.ts';

/*
 * The errors of encrypted files, in one place because two formats and two commands share them. None has a `cause`
 * from the cipher and none quotes the password or a piece of the file: what a wrong key decrypts may still be secret.
 */

export function passwordMissing(
  hint = 'Set ENCRYPTION_PASSWORD, type it at the prompt, or give it as one line on stdin.',
): SatelliteError {
  return new SatelliteError('The file is encrypted, or shall be, and there is no password.', {
    code: 'CONFIG_PASSWORD_MISSING',
    kind: 'config',
    hint,
  });
}

/** Thrown when a password can never work, whatever the file. */
export function passwordUnusable(reason: string, hint: string): SatelliteError {
  return new SatelliteError(`The password cannot be used: ${reason}.`, {
    code: 'CONFIG_PASSWORD_UNUSABLE',
    kind: 'config',
    hint,
  });
}

/** Thrown when the password is certainly (modern format) or most likely (vendor's format) not the file's. */
export function passwordWrong(message: string, hint: string): SatelliteError {
  return new SatelliteError(message, { code: 'CONFIG_PASSWORD_WRONG', kind: 'config', hint });
}

/** Thrown when the file cannot be what was written, whatever the password. */
export function encryptedDamaged(what: string): SatelliteError {
  return new SatelliteError(`The encrypted file is damaged: ${what}.`, {
    code: 'CONFIG_ENCRYPTED_DAMAGED',
    kind: 'config',
    hint: 'Copy it again from where it was made, as a whole, or encrypt the plain file again.',
  });
}

/** Thrown for a file that is whole but asks for something that this version does not do. */
export function encryptedUnsupported(message: string, hint: string): SatelliteError {
  return new SatelliteError(message, { code: 'CONFIG_ENCRYPTED_UNSUPPORTED', kind: 'config', hint });
}

export function notEncrypted(): SatelliteError {
  return new SatelliteError('The file is not encrypted, neither in our format nor in the vendor’s.', {
    code: 'CONFIG_NOT_ENCRYPTED',
    kind: 'config',
    hint: 'A plain file is used as it is. If this one was encrypted once, its beginning is damaged.',
  });
}
