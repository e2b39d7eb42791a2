// Writes the types of the messages on `hailuo.sync` from their JSON schema: `node messages.mjs [--check]`.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileFromFile } from 'json-schema-to-typescript';

const path = name => fileURLToPath(new URL(name, import.meta.url));
const schema = path('../hailuo_jupyter/kernel/comm_messages.schema.json');
const target = path('src/sync/messages.ts');
const { prettier: style } = JSON.parse(readFileSync(path('package.json')));

const types = await compileFromFile(schema, {
  bannerComment:
    '// Generated from hailuo_jupyter/kernel/comm_messages.schema.json by `jlpm messages`; do not edit.',
  ignoreMinAndMaxItems: true,
  style
});
if (!process.argv.includes('--check')) {
  writeFileSync(target, types);
} else if (readFileSync(target, 'utf8') !== types) {
  console.error('src/sync/messages.ts is out of date. Run: jlpm messages');
  process.exit(1);
}
