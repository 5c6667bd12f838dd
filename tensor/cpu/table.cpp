// The CPU machine: one constant table, compiled once for each level of vector instructions (Makefile:
// LEVELS), under a name of its own.
#include "tensor/kernels.h"

namespace dale {

#define DALE_ENTRY(verb) .verb = cpu::verb,
extern "C" constinit const Kernels DALE_TABLE{DALE_VERBS(DALE_ENTRY)};

}  // namespace dale
