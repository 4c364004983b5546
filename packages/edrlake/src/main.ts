// The command, for the bundle: what the library needs is elsewhere.
import '@edrlake/cli/main';
