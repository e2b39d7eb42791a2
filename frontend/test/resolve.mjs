// Node runs the TypeScript as it stands; only its imports leave out the ending.
import { register } from 'node:module';

register(
  'data:text/javascript,' +
    encodeURIComponent(`
      export async function resolve(name, context, next) {
        const typescript = name.startsWith('.') && !/\\.[a-z]+$/.test(name);
        return next(typescript ? name + '.ts' : name, context);
      }
    `),
  import.meta.url
);
