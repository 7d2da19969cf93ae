import { randomUUID } from 'node:crypto';
import { TidemarkError } from '../../../src/errors.ts';
import { fileStore } from '../../../src/store/file.ts';

/** `write-once.ts <folder> <bytes> [uid]`: creates one object, as that user, and prints what the store says. */
const [root = '', bytes = '1', uid] = process.argv.slice(2);
if (uid !== undefined) process.setuid?.(Number(uid));
try {
  const { outcome } = await fileStore(root, randomUUID).create('large', Buffer.alloc(Number(bytes), 'x'));
  process.stdout.write(JSON.stringify({ outcome }));
} catch (error) {
  const { code, message, hint, transient } = error as TidemarkError;
  process.stdout.write(JSON.stringify({ code, message, hint, transient }));
}
