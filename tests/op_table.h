// The one table of ops: every op, most in several shapes, and composites of them, as functions of their
// inputs. The inputs, and what PyTorch makes of them, are in tests/fixtures/torch_agreement.safetensors by
// the same names.
#pragma once

#include <map>

#include "autograd/transforms.h"

namespace dale {

using Table = std::map<std::string, Function>;
Table op_table();

}  // namespace dale
