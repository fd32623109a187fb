// panva's oidc-provider, a certified authorization server, headless on 127.0.0.1, for the tests of this folder.
//
//     node oidc_server.mjs PATH_OF_ITS_PACKAGE     prints one JSON line when it is ready, ends with its standard input
//
// `/_control/` is ours: it shows what lives, and plays an administrator. Everything is kept in memory.
import http from 'node:http';
import { pathToFileURL } from 'node:url';

console.info = console.warn = () => {};
const { default: Provider } = await import(pathToFileURL(`${process.argv[2]}/lib/index.js`).href);

const kept = new Map(); // "Model:id" → what the server stores
const grants = new Map(); // grant id → keys of what came of it

class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, expiresIn) {
    kept.set(this.key(id), { ...payload, ends: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.grantId) grants.set(payload.grantId, [...(grants.get(payload.grantId) ?? []), this.key(id)]);
  }
  async find(id) {
    const found = kept.get(this.key(id));
    return found && found.ends > Date.now() ? found : undefined;
  }
  async findBy(name, value) { return [...kept].filter(([k]) => k.startsWith(`${this.model}:`)).map(([, v]) => v).find((v) => v[name] === value); }
  async findByUid(uid) { return this.findBy('uid', uid); }
  async findByUserCode(code) { return this.findBy('userCode', code); }
  async consume(id) { kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.key(id)); }
  async revokeByGrantId(id) { for (const key of grants.get(id) ?? []) kept.delete(key); }
}

const server = http.createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  adapter: Memory,
  scopes: ['openid', 'offline_access', 'read', 'write'],
  clientDefaults: { grant_types: ['authorization_code'], id_token_signed_response_alg: 'RS256' },
  cookies: { keys: ['only for this test'] },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  issueRefreshToken: async () => true,
  allowOmittingSingleRegisteredRedirectUri: false,
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    registration: { enabled: true, initialAccessToken: 'initial-access-token' },
    registrationManagement: { enabled: true },
    resourceIndicators: { enabled: false },
  },
});
const answer = provider.callback();

server.on('request', (request, response) => {
  const url = new URL(request.url, issuer);
  if (!url.pathname.startsWith('/_control/')) return answer(request, response);
  const client = url.searchParams.get('client');
  if (url.pathname.endsWith('/forget')) kept.delete(`Client:${client}`);
  if (url.pathname.endsWith('/rename')) kept.get(`Client:${client}`).client_name = 'renamed by hand';
  if (url.pathname.endsWith('/withdraw')) for (const key of kept.keys()) if (/^(Access|Refresh)Token|^Grant/.test(key)) kept.delete(key);
  const tokens = [...kept].filter(([key]) => /^(AccessToken|RefreshToken|ClientCredentials):/.test(key));
  const alive = tokens.filter(([, token]) => token.ends > Date.now() && !token.consumed).map(([, token]) => token.clientId);
  const clients = [...kept.keys()].filter((key) => key.startsWith('Client:')).map((key) => key.slice(7));
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ clients, alive }));
});
process.stdin.on('end', () => process.exit(0)).resume();
console.log(JSON.stringify({ issuer }));
