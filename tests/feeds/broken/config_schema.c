/* Its schema lacks a brace. */
#include "broken.h"
BROKEN(.config_schema = "{\"type\":\"object\"")
