// The folder of samples: samples.npy (N,C,H,W) float32 in the data's units, grid.png with as many of them as
// a picture holds, and sample.json. While sampling goes on each batch is added to samples.npy.part, and then
// sample.json.part tells how many images are whole; so a run that was cut goes on after them, to the bytes
// that it would have had.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>

#include "experiments/run/folder.h"
#include "experiments/run/sample.h"

namespace dale {

/// How data in units of their own are shown: black to white from their 1 % quantile to their 99 % quantile,
/// by logarithm where the first is above 0.
struct Greys {
  double black, white;

  /// In [0, 1] between them, on the same shape.
  Tensor of(const Tensor& data) const;
};
/// Throws std::invalid_argument where there are no data.
Greys greys_of(const Tensor& data);

/// Images (N,C,H,W) of a model as one picture in a square of them.
struct Grid {
  Tensor picture = {};
  Index shown;                      // of the images: as many as a picture holds
  std::optional<Greys> greys = {};  // of data in units of their own
  std::string note = {};            // how these are shown, and how many images are left out; or ""

  /// Images in [0, 1], in the greys of this grid where it has some.
  Tensor shade(const Tensor& images) const { return greys ? greys->of(images) : images; }
};
Grid grid_of(const Tensor& images, const Model& model);

/// The way from noise to the first images, as an animation: what the network is asked while the level falls,
/// then the samples, all in the greys of these.
class Trajectory {
 public:
  explicit Trajectory(const Model& model) : model_(model) {}
  /// For SampleOptions::watch.
  void see(const Var& y, double s);
  /// FOLDER/trajectory.png (APNG), which ends with these samples.
  void write(const std::filesystem::path& folder, const Tensor& images) const;

 private:
  static constexpr Index shown = 16;
  const Model& model_;
  double level_ = std::numeric_limits<double>::infinity();
  std::vector<Tensor> states_;  // (shown,C,H,W) in the data's units
};

class SamplesFolder {
 public:
  /// Makes the folder where it is missing, and tries that it can be written to, and locks it (folder.h).
  /// `made_of` is all that the values depend on, model included. With `resume` what is there of the same is
  /// kept; else it is begun anew. Throws std::invalid_argument when told to resume samples made of something
  /// else.
  SamplesFolder(std::filesystem::path folder, nlohmann::ordered_json made_of, bool resume);
  /// Removes what it made when no image came of it.
  ~SamplesFolder();
  SamplesFolder(const SamplesFolder&) = delete;

  /// Whether all is there.
  bool complete() const;
  /// Fills the first images of `result` with those that are there, and its numbers; how many there are.
  Index resume(SampleResult& result);
  /// The next images (n,C,H,W), and the numbers of `result` up to them.
  void append(const Tensor& images, const SampleResult& result);
  /// Leaves the three files, and a PNG for each image in images/ where asked to; returns a line about a grid
  /// that does not hold all images, or nothing.
  std::string write(const SampleResult& result, const Model& model, bool each = false);

 private:
  std::filesystem::path npy() const { return folder_ / "samples.npy.part"; }
  std::filesystem::path about() const { return folder_ / "sample.json.part"; }

  std::filesystem::path folder_;
  bool made_;  // the folder, by this object
  std::optional<FolderLock> lock_;
  nlohmann::ordered_json made_of_;
  Index done_ = 0;
  std::optional<Appender> file_;
};

/// A line for people: images, steps, evaluations, seconds, and sign changes where there can be any.
std::string text_of(const SampleResult& result, const SampleOptions& options);

}  // namespace dale
