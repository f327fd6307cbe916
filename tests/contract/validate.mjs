// Read AsyncAPI documents, a JSON array, from standard input; print what the official parser finds wrong with each.
import { Parser } from "@asyncapi/parser";
import { text } from "node:stream/consumers";

const found = [];
for (const document of JSON.parse(await text(process.stdin))) {
  const { diagnostics } = await new Parser().parse(document);
  const wrong = diagnostics.filter((one) => one.severity <= 1);
  found.push(wrong.map((one) => `${one.path.join(".")}: ${one.message}`));
}
console.log(JSON.stringify(found));
