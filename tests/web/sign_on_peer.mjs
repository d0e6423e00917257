// A sign-on for tests from the npm package oidc-provider (MIT, OpenID Certified), with its own pages for signing in, on a
// port of 127.0.0.1 that the system chooses; says its address in one line of JSON when it is ready.
//   node sign_on_peer.mjs FOLDER_OF_MODULES
// Whoever signs in as NAME is NAME@example.org; the address of "doubtful" is not verified.
import crypto from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const modules = createRequire(path.join(path.resolve(process.argv[2]), 'package.json'));
const { Provider } = await import(pathToFileURL(modules.resolve('oidc-provider')));
const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
// A native client's loopback address counts whatever its port (RFC 8252, 7.3).
const client = { application_type: 'native', grant_types: ['authorization_code'], redirect_uris: ['http://127.0.0.1/sign-in/back'] };
const settings = {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'peer', alg: 'RS256', use: 'sig' }] },
  clients: [
    { ...client, client_id: 'bridge', client_secret: 's3cret', token_endpoint_auth_method: 'client_secret_basic' },
    { ...client, client_id: 'posting', client_secret: 's3cret', token_endpoint_auth_method: 'client_secret_post' },
    { ...client, client_id: 'public', token_endpoint_auth_method: 'none' },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: id !== 'doubtful' }) }),
  features: { devInteractions: { enabled: true } },
};
const asked = net.createServer().listen(0, '127.0.0.1', () => {
  const { port } = asked.address();
  asked.close(() => {
    const issuer = `http://127.0.0.1:${port}`;
    http.createServer(new Provider(issuer, settings).callback()).listen(port, '127.0.0.1', () => console.log(JSON.stringify({ issuer })));
  });
});
process.stdin.on('end', () => process.exit(0)).resume();
