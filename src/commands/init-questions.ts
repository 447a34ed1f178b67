import { createInterface } from 'node:readline/promises';
import { askSecret, openTerminal, type PasswordIo, type Terminal } from './password.ts';

/** What is wrong with an answer, or the answer as it is going to be used. */
export type Judged<T> = { readonly problem: string } | { readonly value: T };

export interface Question<T> {
  readonly text: string;
  /** Taken where only Enter is pressed. */
  readonly otherwise?: string;
  /** Not echoed, and never repeated. */
  readonly secret?: boolean;
  readonly judge: (answer: string) => Judged<T>;
}

/** Thrown where the user leaves: Ctrl-C, Ctrl-D, or a terminal that went away. */
export class Cancelled extends Error {}

/** Asks one question after the other at the terminal, each until its answer can be used. */
export class Questions {
  readonly #io: PasswordIo;

  constructor(io: PasswordIo) {
    this.#io = io;
  }

  /** @throws Cancelled */
  async ask<T>({ text, otherwise, secret = false, judge }: Question<T>): Promise<T> {
    const prompt = `${text}${otherwise === undefined ? '' : ` [${otherwise}]`}: `;
    for (;;) {
      const typed = await this.#read(prompt, secret);
      if (typed === undefined) throw new Cancelled();
      const judged = judge(typed.trim() === '' && otherwise !== undefined ? otherwise : secret ? typed : typed.trim());
      if ('value' in judged) return judged.value;
      this.say(`  ${judged.problem}`);
    }
  }

  say(line: string): void {
    this.#io.stderr.write(`${line}\n`);
  }

  /** The terminal is opened for each question anew: reading lines and reading a secret do not share a stream. */
  async #read(prompt: string, secret: boolean): Promise<string | undefined> {
    const terminal = (this.#io.openTerminal ?? (() => openTerminal(this.#io)))();
    if (terminal === undefined) return undefined;
    try {
      return await (secret ? askSecret(prompt, terminal) : askLine(prompt, terminal));
    } finally {
      terminal.close();
    }
  }
}

async function askLine(prompt: string, { input, output }: Terminal): Promise<string | undefined> {
  const lines = createInterface({ input, output, terminal: true });
  const left = new Promise<undefined>((resolve) => {
    lines.once('SIGINT', () => resolve(undefined)).once('close', () => resolve(undefined));
  });
  try {
    return await Promise.race([lines.question(prompt), left]);
  } catch {
    // Closed in the middle of the question.
    return undefined;
  } finally {
    lines.close();
  }
}
