/** Flags that a user might guess; there are none, because others can see the command line. */
export const CREDENTIAL_FLAGS = [
  ...['username', 'user', 'login', 'password', 'password-file', 'passwd', 'token', 'secret'],
  ...['client-id', 'client-secret', 'client-secret-file'],
];

/** Keys that do not belong into a file that gets copied and committed. */
export const CREDENTIAL_KEY =
  /^(user(name)?|login|password|passwd|pass|secret|token|api-?key|client-?(id|secret)(-?file)?)$/i;

/** Where an account comes from instead. */
export const CREDENTIAL_HINT =
  'Set EDRLAKE_USERNAME and EDRLAKE_PASSWORD, or EDRLAKE_PASSWORD_FILE, in the environment; of an OAuth client EDRLAKE_CLIENT_ID and EDRLAKE_CLIENT_SECRET_FILE.';
