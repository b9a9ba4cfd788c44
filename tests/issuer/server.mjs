// A real issuer for the tests: npm `oidc-provider` on a loopback port, with a door for the test at /control.
//
//   node server.mjs '{"port": 9000, "tls": {"cert": "PATH", "key": "PATH"}}'
//
// It runs outside of the source tree, where its packages are (tests/issuer.rs). Everything is in memory. The issuer's URL never changes: a rotation builds the
// provider anew behind the same listener, with new keys first and the previous ones still published.
//
// Clients: `modgate` (code + PKCE; redirect URIs by /control/redirects), `other` (the same, somebody else's), `ci`
// (client credentials: JWT access tokens for the audience `modgate`, with groups) and `cli` (device authorization).
// Each one's secret is its name and `-secret`.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

// What the provider takes from newer versions than Debian's Node 18.
globalThis.crypto ??= crypto.webcrypto;
URL.parse ??= (text, base) => (URL.canParse(text, base) ? new URL(text, base) : null);
const { default: Provider } = await import('oidc-provider');
const { SignJWT, decodeJwt, importJWK } = await import('jose');

const settings = JSON.parse(process.argv[2]);
const scheme = settings.tls ? 'https' : 'http';
const issuer = `${scheme}://localhost:${settings.port}`;
const audience = 'modgate';

const accounts = new Map([
  ['alice', { name: 'Alice', groups: ['/eng/platform', 'staff'] }],
  ['mallory', { name: 'Mallory <script>alert(1)</script>', groups: [] }],
]);
const counts = { discovery: 0, jwks: 0, token: 0, authorization: 0 };
let ciGroups = ['/eng/ci'];
let redirects = [`${issuer}/nowhere`];
let accessTokenSeconds = 600;
let down = false;
let fault = {};
let generation = 0;
let keys = [];
let provider;
let answer;

function newKeys() {
  generation += 1;
  const made = [
    ['RS256', crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ES256', crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ];
  return made.map(([alg, pair]) => ({
    ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${generation}`, generation,
  }));
}

function web(id) {
  return {
    client_id: id,
    client_secret: `${id}-secret`,
    redirect_uris: redirects,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
}

function build() {
  provider = new Provider(issuer, {
    clients: [
      web('modgate'),
      web('other'),
      {
        client_id: 'ci', client_secret: 'ci-secret', redirect_uris: [], response_types: [],
        grant_types: ['client_credentials'],
      },
      {
        client_id: 'cli', client_secret: 'cli-secret', redirect_uris: [], response_types: [],
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      },
    ],
    jwks: { keys: keys.map(({ generation: _, ...key }) => key) },
    cookies: { keys: ['of no importance'] },
    scopes: ['openid', 'offline_access', 'profile', 'groups', 'api'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'] },
    conformIdTokenClaims: false, // claims of scopes in the ID token, too
    async findAccount(_, id) {
      const account = accounts.get(id);
      return account && {
        accountId: id,
        claims: async () => ({ sub: id, preferred_username: id, name: account.name, groups: account.groups }),
      };
    },
    issueRefreshToken: async (_, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    rotateRefreshToken: true,
    extraTokenClaims: async (_, token) =>
      token.kind === 'ClientCredentials' ? { groups: ciGroups } : { groups: accounts.get(token.accountId)?.groups },
    pkce: { required: () => true },
    ttl: { Session: 3600, Interaction: 600, Grant: 86400, IdToken: 600, RefreshToken: 86400, DeviceCode: 600, AccessToken: 600 },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_, client) => (client.clientId === 'ci' ? 'urn:modgate' : undefined),
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'api', audience, accessTokenFormat: 'jwt', accessTokenTTL: accessTokenSeconds,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    renderError: async (context, out) => {
      context.type = 'text';
      context.body = `issuer: ${out.error}: ${out.error_description}`;
    },
  });
  provider.use(async (context, next) => {
    await next();
    const route = context.oidc?.route;
    if (route in counts) counts[route] += 1;
    if (route === 'token' && fault.claims && context.body?.id_token) {
      context.body.id_token = await resigned(context.body.id_token);
    }
    const to = context.response.get('location');
    if (fault.iss !== undefined && to?.startsWith(redirects[0])) {
      const url = new URL(to);
      fault.iss === null ? url.searchParams.delete('iss') : url.searchParams.set('iss', fault.iss);
      context.set('location', url.href);
    }
  });
  answer = provider.callback();
}

// The provider's own ID token with other claims (null: without), signed by the same key or by a stranger's.
async function resigned(token) {
  const claims = { ...decodeJwt(token), ...fault.claims };
  for (const name of Object.keys(claims)) if (claims[name] === null) delete claims[name];
  const { generation: _, ...jwk } = (fault.stranger ? newKeys() : keys).find((key) => key.alg === 'RS256');
  const header = { alg: 'RS256', kid: keys.find((key) => key.alg === 'RS256').kid };
  return new SignJWT(claims).setProtectedHeader(header).sign(await importJWK(jwk, 'RS256'));
}

const control = {
  // {"overlap": false} forgets the previous keys at once.
  rotate({ overlap = true }) {
    const previous = overlap ? keys.filter((key) => key.generation === generation) : [];
    keys = [...newKeys(), ...previous];
    build();
    return { keys: keys.map((key) => key.kid) };
  },
  // {"uris": […]}: where the clients `modgate` and `other` may be sent back to.
  redirects({ uris }) {
    redirects = uris;
    build();
  },
  // {"account": "bob", "name": "Bob", "groups": […]} adds one or changes it.
  account({ account, name = account, groups = [] }) {
    accounts.set(account, { name, groups });
  },
  // {"account": "alice", "groups": […]}; {"account": "ci", …} for client credentials.
  groups({ account, groups }) {
    if (account === 'ci') ciGroups = groups;
    else accounts.get(account).groups = groups;
  },
  'remove-account': ({ account }) => {
    accounts.delete(account);
  },
  // {"down": true}: all but this door answers 503.
  down(body) {
    down = body.down;
  },
  // {"seconds": 2}: the life of JWT access tokens.
  lifetime({ seconds }) {
    accessTokenSeconds = seconds;
  },
  // {"claims": {"nonce": null}, "stranger": true, "iss": "https://…"}: what is wrong from now on; {} ends it.
  fault(body) {
    fault = body;
  },
  counts: () => counts,
};

async function controlled(request, response) {
  const action = control[request.url.slice('/control/'.length)];
  let text = '';
  for await (const piece of request) text += piece;
  try {
    const result = action(text ? JSON.parse(text) : {});
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result ?? {}));
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
}

function handle(request, response) {
  if (request.url.startsWith('/control/')) return controlled(request, response);
  if (down) return response.writeHead(503).end('down');
  return answer(request, response);
}

keys = newKeys();
build();
const server = settings.tls
  ? https.createServer({ cert: fs.readFileSync(settings.tls.cert), key: fs.readFileSync(settings.tls.key) }, handle)
  : http.createServer(handle);
server.listen(settings.port, '127.0.0.1', () => console.log(`ready ${issuer}`));
// Ends with the test that started it, however that ended.
process.stdin.on('end', () => process.exit(0)).resume();
