import { pusherJsSuite } from '../lib/pusherjs-suite.mjs';

pusherJsSuite(6);
