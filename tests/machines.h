// The machines that a test runs on: the CPU, and CUDA where there is a device. In build/check-emulated the
// CUDA machine is tensor/cuda compiled for the host (tests/emulated), so that every kernel's code runs
// without a GPU.
#pragma once

#include <string>
#include <vector>

#include "tensor/cuda/machine.h"
#include "tensor/storage.h"
#include "tests/catch.h"

namespace dale {

inline std::vector<Device> machines() {
  return cuda_missing().empty() ? std::vector<Device>{Device::cpu, Device::cuda}
                                : std::vector<Device>{Device::cpu};
}

/// The machine's column in the table of ops.
inline std::string column(Device device) {
  if (device == Device::cpu) return "cpu";
  return cuda_description().find("emulated") == std::string::npos ? "cuda" : "emulated";
}

/// While it lives, the CUDA machine, where there is one, makes its products so.
struct Products {
  explicit Products(CudaProducts how) { set(how); }
  ~Products() { set(CudaProducts::full); }
  static void set(CudaProducts how) { cuda_missing().empty() ? cuda_set_products(how) : void(); }
};

}  // namespace dale

/// In a test case: what follows is run once on every machine, `device`.
#define ON_EVERY_MACHINE()                                                   \
  const Device device = GENERATE(Catch::Generators::from_range(machines())); \
  INFO("on " << column(device))
