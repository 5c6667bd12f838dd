// The small experiments with known answers: each asks one question, takes a minute or so on two cores, and
// leaves its numbers as CSV and its figures as SVG or PNG.
#pragma once

#include "experiments/page/page.h"
#include "experiments/pictures/image.h"
#include "tensor/file.h"
#include "tensor/tensor.h"

namespace dale {

struct StudyOptions {
  std::filesystem::path out;  // folder for the files, made where it is missing
  std::string data;           // folder of data sets, before the usual ones (dataset.h)
  std::uint64_t seed = 0;
  bool quick = false;      // a fraction of the work, for tests
  int training_seeds = 1;  // of rain: models of each kind
};

// Each returns its section of the report: a heading, a paragraph, and its figures, as HTML.

/// Samplers on problems with exact scores: distance to the truth against the number of steps.
std::string study_exact(const StudyOptions& options);
/// x_T against the prior from which sampling starts, as s(T) grows.
std::string study_prior(const StudyOptions& options);
/// A small network on two spirals in the positive quadrant.
std::string study_spirals(const StudyOptions& options);
/// A classifier trained by gradient descent, Adam and exponentiated gradient: accuracy, sign changes,
/// distribution of |w|. Throws as load_dataset when there are neither Fashion-MNIST nor MNIST.
std::string study_synapses(const StudyOptions& options);

/// Rain by radar, positive by nature: gbm and ve on rates, ve on their logarithms.
std::string study_rain(const StudyOptions& options);

/// The figures beside the chapters. What needs a data set or a shipped model that is not here is left out, in
/// a sentence.
std::string study_figures(const StudyOptions& options);
/// Two of them, as <svg>: the graph of y = x·exp(x) and the graph of its derivative; the score U-Net.
std::string graph_diagram();
std::string unet_diagram();

struct Study {
  const char* name;
  std::string (*run)(const StudyOptions&);
  bool compares = true;  // is a part of dale compare
};
inline constexpr Study studies[] = {{"exact", study_exact},       {"spirals", study_spirals},
                                    {"synapses", study_synapses}, {"prior", study_prior},
                                    {"rain", study_rain},         {"figures", study_figures, false}};

// What they share: the numbers of a tensor in double, and numbers as (n,1); a plot, or an image with a text
// alternative and a caption, left in a file and shown in the section.
inline std::vector<double> doubles(const Tensor& x) {
  const std::vector<real> v = x.to_vector();
  return {v.begin(), v.end()};
}
inline Tensor column(const std::vector<double>& v) {
  return Tensor({static_cast<Index>(v.size()), 1}, std::vector<real>(v.begin(), v.end()));
}
inline std::string figure(const std::filesystem::path& file, const std::string& svg) {
  write_file(file, standalone(svg));
  return "<figure>" + svg + "</figure>\n";
}
inline std::string figure(const std::filesystem::path& file, const Tensor& image,
                          const std::string& alternative, const std::string& caption) {
  write_png(file, image);
  return captioned(picture(image, alternative), caption);
}

/// A normal distribution fitted by mean and standard deviation, and how far it is from the values: the
/// Kolmogorov–Smirnov distance sup_x |F_n(x) − Φ((x − mean)/deviation)|. The parameters come from the same
/// values, so this is a distance, and no test's p-value belongs to it. Applied to logarithms it is the
/// distance to the log-normal.
struct NormalFit {
  double mean, deviation, distance;

  double density(double value) const;
};
/// Throws std::invalid_argument unless the values are finite, two at least, and not all equal.
NormalFit fit_normal(std::vector<double> values);

}  // namespace dale
