/* A plugin that offers nothing. */
#include <tickerd.h>

static const tkr_plugin plugin = {
    .struct_size = sizeof(tkr_plugin),
    .version = "1.0.0",
    .sdk = "tickerd.h",
};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
