// An identity provider by oidc-provider alone. It is told where its one client takes answers; it prints its
// issuer, as JSON, and serves until it is ended.
import http from 'node:http';
import Provider from 'oidc-provider';

const told = JSON.parse(process.argv[2]);
const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'client',
      client_secret: 'hunter2',
      redirect_uris: [told.redirect_uri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['given_name', 'family_name', 'groups'] },
    cookies: { keys: ['of this run alone'] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id, email: id, email_verified: true, given_name: 'Ada', family_name: 'Lovelace', groups: ['platform', 'ops'],
      }),
    }),
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ issuer }));
});
