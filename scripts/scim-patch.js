// What npm's scim-patch makes of the cases on standard input, a line of JSON each: the resource, or the name of its error.
const { createInterface } = require("readline");
const { scimPatch } = require("scim-patch");

createInterface({ input: process.stdin }).on("line", (line) => {
  const { user, operations } = JSON.parse(line);
  let answer;
  try {
    const { schemas, ...result } = scimPatch(user, operations);
    answer = { result };
  } catch (error) {
    answer = { error: error.scimCode || error.name };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
