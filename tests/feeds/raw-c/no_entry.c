/* A library, but no plugin: it has no entry symbol. */
int not_a_plugin(void);
int not_a_plugin(void) { return 42; }
