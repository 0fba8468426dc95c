#define VERSION "two"
#define PUSH
#include "versions.h"
