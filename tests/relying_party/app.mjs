// npm's openid-client as an app: one command a line on stdin, one answer a line on stdout. tests/support/openid_client.py speaks to it.
import readline from 'node:readline'
import * as client from 'openid-client'

let config
const login = {}

const commands = {
  async discover({ issuer, clientId, secret }) {
    const proof = secret === null ? client.None() : client.ClientSecretBasic(secret)
    const insecure = { execute: [client.allowInsecureRequests] } // the test listens on loopback without TLS
    config = await client.discovery(new URL(issuer), clientId, undefined, proof, insecure)
    return config.serverMetadata()
  },

  async begin({ redirectUri, scope, parameters }) {
    login.verifier = client.randomPKCECodeVerifier()
    login.state = client.randomState()
    login.nonce = client.randomNonce()
    return client.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope,
      state: login.state,
      nonce: login.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(login.verifier),
      code_challenge_method: 'S256',
      ...parameters,
    }).href
  },

  async finish({ address }) {
    const tokens = await client.authorizationCodeGrant(config, new URL(address), {
      pkceCodeVerifier: login.verifier,
      expectedState: login.state,
      expectedNonce: login.nonce,
      idTokenExpected: true,
      maxAge: 3600,
    })
    return { ...tokens, claims: tokens.claims() }
  },

  async userinfo({ accessToken, subject }) {
    return client.fetchUserInfo(config, accessToken, subject)
  },

  async refresh({ refreshToken }) {
    const tokens = await client.refreshTokenGrant(config, refreshToken)
    return { ...tokens, claims: tokens.claims() }
  },

  async introspect({ token }) {
    return client.tokenIntrospection(config, token)
  },

  async revoke({ token }) {
    await client.tokenRevocation(config, token)
    return {}
  },

  async logout({ idToken, goal, state }) {
    const parameters = { id_token_hint: idToken, post_logout_redirect_uri: goal, state }
    return client.buildEndSessionUrl(config, parameters).href
  },
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line)
  try {
    console.log(JSON.stringify({ result: await commands[command](given) }))
  } catch (error) {
    // What the provider said, where it said no; else what openid-client did not believe.
    const cause = error.cause instanceof Error ? error.cause.message : undefined
    console.log(JSON.stringify({ error: error.error ?? error.code ?? error.message, message: error.message, cause }))
  }
}
