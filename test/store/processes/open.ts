import { registerHooks } from 'node:module';

/** Opens the store that its argument describes, and prints which packages that loaded. */
const packages = new Set<string>();
registerHooks({
  resolve: (specifier, context, next) => {
    if (/^[@a-z]/.test(specifier) && !specifier.startsWith('node:') && !specifier.startsWith('file:')) packages.add(specifier);
    return next(specifier, context);
  },
});
const { openStore } = await import('../../../src/store/open.ts');
const store = await openStore(JSON.parse(process.argv[2] ?? '') as Parameters<typeof openStore>[0]);
process.stdout.write(JSON.stringify({ url: store.url, packages: [...packages] }));
