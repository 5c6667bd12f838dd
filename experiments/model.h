// A trained model: the network, the process whose chart it lives in, and the data's scale there. One safetensors file
// holds it whole; its metadata says how to build it again.
#pragma once

#include <filesystem>
#include <map>

#include "diffusion/precondition.h"
#include "diffusion/process.h"
#include "nn/unet.h"

namespace dale {

constexpr const char* version = "0.1.0";

struct Model {
  const Process* process;
  Edm edm;
  ScoreUNet network;
  std::map<std::string, std::string> notes;  // where it came from: data set, steps, seed, …

  /// D(y; s) with this network. The model must outlive the result.
  Denoiser denoiser();
  void to(Device device);
};

/// Weights `values` in the order of the network's parameters (the average of training, say). Throws std::runtime_error
/// when one is not finite.
void save_model(const std::filesystem::path& path, Model& model, const std::vector<Tensor>& values);
/// Throws std::runtime_error with the path when the file is no model, or a name or shape does not fit.
Model load_model(const std::filesystem::path& path);

}  // namespace dale
