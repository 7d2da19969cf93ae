import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { dyingAt } from './die-at.ts';

/** Loaded after die-at.ts: the names are those of objects that are about to be put into a bucket, or have just been put there. */
const { prototype } = S3Client;
const send = Reflect.get(prototype, 'send') as (...given: unknown[]) => Promise<unknown>;
Reflect.set(prototype, 'send', function (this: S3Client, ...given: unknown[]) {
  const [command] = given;
  const sent = (): Promise<unknown> => send.apply(this, given);
  return command instanceof PutObjectCommand ? dyingAt(command.input.Key ?? '', sent) : sent();
});
