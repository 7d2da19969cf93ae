import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Transform, type TransformCallback } from 'node:stream';
import zlib from 'node:zlib';

/**
 * Loaded before everything else: local files and compression, which the system does in threads of its own, become immediate. What is
 * left then waits for nothing but the simulation's gate, so the order of everything depends on the seed alone.
 */
const files = fs.promises as unknown as Record<string, unknown>;
const callbacks = fs as unknown as Record<string, unknown>;
type Call = (...given: unknown[]) => unknown;

for (const name of ['mkdir', 'mkdtemp', 'rm', 'stat', 'readFile', 'writeFile', 'readdir', 'unlink', 'rename']) {
  const immediate = callbacks[`${name}Sync`] as Call;
  // oxlint-disable-next-line require-await -- a failure must become a rejection
  files[name] = async (...given: unknown[]) => immediate(...given);
}

/** As streams of files call them. */
function answerAtOnce(name: string, results: (result: unknown, given: readonly unknown[]) => readonly unknown[]): void {
  const immediate = callbacks[`${name}Sync`] as Call;
  callbacks[name] = (...given: unknown[]) => {
    const answer = given.pop() as Call;
    try {
      const result = immediate(...given);
      process.nextTick(answer, null, ...results(result, given));
    } catch (error) {
      process.nextTick(answer, error);
    }
  };
}
answerAtOnce('open', (file) => [file]);
answerAtOnce('close', () => []);
for (const name of ['read', 'write', 'writev']) answerAtOnce(name, (count, [, buffers]) => [count, buffers]);

/** Not by assignment: some of the module's properties are read-only, and an assignment to them is lost without a word. */
const replace = (name: keyof typeof zlib, value: unknown): unknown =>
  Object.defineProperty(zlib, name, { value, enumerable: true, configurable: true, writable: true });

type Options = zlib.ZstdOptions;
/** A result as large as it may be, not sixteen kilobytes each time: that is what a simulation of many small pages collects as garbage. */
const fitting = (body: Buffer, options?: Options): Options => ({ ...options, chunkSize: Math.min(2 ** 20, Math.max(256, body.length)) });
replace('zstdCompress', (body: Buffer, options: Options, done: (error: Error | null, result?: Buffer) => void) => {
  process.nextTick(done, null, zlib.zstdCompressSync(body, fitting(body, options)));
});

/** Everything at the end, in one piece. */
function whole(work: (bytes: Buffer, options: Options | undefined) => Buffer): (options?: Options) => Transform {
  return (options) => {
    const chunks: Buffer[] = [];
    return new Transform({
      transform: (chunk: Buffer, _encoding, done: TransformCallback) => {
        chunks.push(chunk);
        done();
      },
      flush: (done: TransformCallback) => done(null, work(Buffer.concat(chunks), options)),
    });
  };
}
replace(
  'createZstdCompress',
  whole((bytes, options) => zlib.zstdCompressSync(bytes, fitting(bytes, options))),
);
replace(
  'createZstdDecompress',
  whole((bytes) => zlib.zstdDecompressSync(bytes)),
);

syncBuiltinESMExports();
