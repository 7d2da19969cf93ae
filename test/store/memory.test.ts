import { memoryStore } from '../../src/store/memory.ts';
import { contract } from './contract.ts';

contract('the memory store', async () => ({ store: memoryStore(), close: async () => undefined }));
