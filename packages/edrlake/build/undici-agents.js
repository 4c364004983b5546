// What the client uses of undici. Its index also makes fetch, caches, mocks and sockets, which took each command that
// sends requests twice the time that the agents take. A name that is missing here fails the build.

import api from 'undici/lib/api/index.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';

// As the index does: the methods of all dispatchers.
Object.assign(Dispatcher.prototype, api);

export { Agent, Pool, ProxyAgent };
