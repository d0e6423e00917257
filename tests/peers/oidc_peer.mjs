// A token server for tests from the npm package oidc-provider (MIT, OpenID Certified): http, and https that asks for
// client certificates, on ports of 127.0.0.1 that the system chooses; says both in one line of JSON when it is ready.
//   node oidc_peer.mjs FOLDER_OF_MODULES SETTINGS.json      settings: {certificates: folder, jwks: {keys}, seconds}
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const modules = createRequire(path.join(path.resolve(process.argv[2]), 'package.json'));
const { Provider } = await import(pathToFileURL(modules.resolve('oidc-provider')));
const said = JSON.parse(fs.readFileSync(process.argv[3]));
const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const scope = 'system/*.read system/Encounter.rs';
const client = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [], scope };
const settings = {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'peer', alg: 'RS256', use: 'sig' }] },
  scopes: scope.split(' '),
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] },
  clients: [
    { ...client, client_id: 'basic', client_secret: 's3cret', token_endpoint_auth_method: 'client_secret_basic' },
    { ...client, client_id: 'post', client_secret: 's3cret', token_endpoint_auth_method: 'client_secret_post' },
    { ...client, client_id: 'signed', token_endpoint_auth_method: 'private_key_jwt', jwks: said.jwks },
    { ...client, client_id: 'certified', token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'O=dscr-bridge,CN=client-1', tls_client_certificate_bound_access_tokens: true },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    mTLS: {
      enabled: true, certificateBoundAccessTokens: true, tlsClientAuth: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
        && ctx.socket.getPeerX509Certificate().subject.replaceAll('\n', ',') === expected,
    },
    resourceIndicators: {
      enabled: true, defaultResource: () => 'urn:dscr-bridge:test:fhir', useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope, audience: 'urn:dscr-bridge:test:fhir', accessTokenFormat: 'jwt',
        accessTokenTTL: said.seconds, jwt: { sign: { alg: 'RS256' } } }),
    },
  },
};
// The name of a provider holds its port, so the port comes first.
const freePort = () => new Promise((resolve) => {
  const asked = net.createServer().listen(0, '127.0.0.1', () => { const { port } = asked.address(); asked.close(() => resolve(port)); });
});
const [plain, secured] = [await freePort(), await freePort()];
const file = (name) => fs.readFileSync(path.join(said.certificates, name));
const tls = { key: file('server.key'), cert: file('server.crt'), ca: file('ca.crt'), requestCert: true, rejectUnauthorized: false };
http.createServer(new Provider(`http://127.0.0.1:${plain}`, settings).callback()).listen(plain, '127.0.0.1', () => {
  https.createServer(tls, new Provider(`https://127.0.0.1:${secured}`, settings).callback()).listen(secured, '127.0.0.1', () => {
    console.log(JSON.stringify({ http: `http://127.0.0.1:${plain}`, https: `https://127.0.0.1:${secured}` }));
  });
});
process.stdin.on('end', () => process.exit(0)).resume();
