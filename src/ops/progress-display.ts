/** Clears the terminal's current line, so that a log line does not stand behind half of a progress line. */
export const clearLine = '\r\u001b[2K';

const intervalMs = 500;

/** Some terminals do not say how wide they are. */
const unknownWidth = 120;

/**
 * Shows one line on a terminal and keeps it current until it is stopped.
 *
 * @param line undefined while there is nothing to show
 * @returns stops it
 */
export function showProgress(terminal: NodeJS.WriteStream, line: () => string | undefined): () => void {
  const draw = () => {
    const text = line();
    if (text !== undefined) terminal.write(`${clearLine}${text.slice(0, (terminal.columns || unknownWidth) - 1)}`);
  };
  const timer = setInterval(draw, intervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    terminal.write(clearLine);
  };
}
