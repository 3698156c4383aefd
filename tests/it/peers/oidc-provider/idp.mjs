// An identity provider by oidc-provider alone. It is told where its one client takes answers and which groups people
// are in; it prints its issuer, as JSON, and serves until it is ended. `/counts` is how often somebody proved who they
// are, and how often a client was answered.
import http from 'node:http';
import Provider from 'oidc-provider';

const told = JSON.parse(process.argv[2]);
const server = http.createServer();
const counts = { authentications: 0, authorizations: 0 };
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
        sub: id, email: id, email_verified: true, given_name: 'Ada', family_name: 'Lovelace', groups: told.groups,
      }),
    }),
  });
  provider.on('authorization.success', () => { counts.authorizations += 1; });
  provider.on('interaction.ended', (ctx) => {
    if (ctx.oidc.entities.Interaction.prompt.name === 'login') counts.authentications += 1;
  });
  const answer = provider.callback();
  server.on('request', (request, response) =>
    (request.url === '/counts' ? response.end(JSON.stringify(counts)) : answer(request, response)));
  console.log(JSON.stringify({ issuer }));
});
