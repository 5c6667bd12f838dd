// A trained model: the network, the process whose chart it lives in, and the data's scale there. One
// safetensors file holds it whole; its metadata says how to build it again.
#pragma once

#include <filesystem>
#include <map>

#include "diffusion/denoiser.h"
#include "diffusion/embedding.h"
#include "nn/unet.h"
#include "tensor/version.h"

namespace dale {

struct Model {
  const Process* process;
  Edm edm;
  Parameterisation meaning;  // of the network's output
  ScoreUNet network;
  Index height = 28, width = 28;             // of its images; their colours are the network's
  Embedding embedding = {};                  // of its data
  std::map<std::string, std::string> notes;  // where it came from: data set, steps, seed, …

  /// The network under its meaning, told `condition`, and D(y; s) from it without. The model must outlive
  /// both.
  ScoreModel score_model(const Condition& condition = {}) const;
  Denoiser denoiser() const { return score_model().denoiser(); }
  /// Throws std::invalid_argument unless images (N,C,H,W) of a data set have the model's colours and size.
  void expect_images(const Tensor& images, const std::string& dataset) const;
  /// Data (N,C,H,W), in their own units, in the chart, and data from there.
  Var chart(const Var& data) const { return process->chart(embedding.embed(data)); }
  Var unchart(const Var& y) const { return embedding.data_of(process->unchart(y)); }
  /// The images' heights at the levels with self-attention.
  std::vector<Index> attention() const;
  void to(Device device);
  /// Whether it was tuned to consistency: D is then the end of a path and no mean (diffusion/consistency.h).
  bool consistent() const { return notes.contains("consistency"); }
};

/// The levels of a network whose images, of this height at first, are so high. Throws std::invalid_argument
/// for a height that no level has.
std::vector<Index> levels_of_heights(const std::vector<Index>& heights, Index height, std::size_t levels);
/// "1,2,2"
std::string joined(const std::vector<Index>& values);

/// Weights `values` in the order of the network's parameters (the average of training, say). Throws
/// std::runtime_error when one is not finite.
void save_model(const std::filesystem::path& path, Model& model, const std::vector<Tensor>& values);
/// A model.safetensors, or a checkpoint of a run as the model that the run would end with there. Throws
/// std::runtime_error with the path when the file is neither, or a name or shape does not fit.
Model load_model(const std::filesystem::path& path);

}  // namespace dale
