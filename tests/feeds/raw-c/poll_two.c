#define VERSION "two"
#include "versions.h"
