/** What of WebAssembly is used: Node's types leave it to the browser's, which would bring everything else of a browser. */
declare namespace WebAssembly {
  type Module = object;
  interface Instance {
    readonly exports: unknown;
  }
  const Module: new (bytes: Uint8Array) => Module;
  const Instance: new (module: Module, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>) => Instance;
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
}
