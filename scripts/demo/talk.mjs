/** How the demo talks: numbered steps, remarks, commands as a user types them, and what they print. */

let steps = 0;

/** A step of the story. */
export function step(text) {
  steps += 1;
  write(`\n${steps}. ${text}`);
}

/** What a reader should notice. */
export function say(text) {
  write(`   ${text}`);
}

/** A command. */
export function type(command) {
  write(`   $ ${command}`);
}

/** A line that a command or a file shows. */
export function print(line) {
  write(`   | ${line}`);
}

/** The end of the story. Returns whether it is a good one. */
export function end(good, text) {
  write(`\n${good ? text : 'They are NOT equal.'}`);
  return good;
}

function write(line) {
  process.stdout.write(`${line}\n`);
}
