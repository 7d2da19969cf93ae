import { stageBytes } from '../../../src/store/disk.ts';

/** Dies between the bytes and their name: what a power cut leaves. */
await stageBytes(process.argv[2] ?? '', 'leftover', Buffer.from('half'));
process.kill(process.pid, 'SIGKILL');
