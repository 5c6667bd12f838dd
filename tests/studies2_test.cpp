// Chapter V: the studies of the prior and of the spirals, in their quick form.
#include <cmath>
#include <filesystem>
#include <sstream>

#include "diffusion/exact.h"
#include "diffusion/precondition.h"
#include "experiments/studies/study.h"
#include "tensor/file.h"
#include "tensor/image.h"
#include "tests/catch.h"
#include "tests/folder.h"

using namespace dale;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// The cells of a CSV file, row by row, its head left out; an empty cell is "".
std::vector<std::vector<std::string>> cells(const fs::path& file) {
  std::istringstream text(read_file(file));
  std::vector<std::vector<std::string>> rows;
  std::string line, cell;
  for (std::getline(text, line); std::getline(text, line);) {
    rows.emplace_back();
    for (std::istringstream in(line + ","); std::getline(in, cell, ',');) rows.back().push_back(cell);
  }
  return rows;
}

}  // namespace

TEST_CASE("the prior's divergence is the closed form for images that vary in one direction", "[study]") {
  // One black image, one white: C = σ² 1 1ᵀ with σ = ½ ln 2, ln det(C + s² I) = ln(784 σ² + s²) + 783 ln s².
  const Folder folder;
  const fs::path data = folder.path / "data", out = folder.path / "out", set = data / "fashion-mnist";
  const std::string black(784, '\0'), white(784, '\xff'), labels(2, '\0');
  write_part(set, "train", black + white, labels);

  const std::string html = study_prior({out, data.string(), 0, true});
  const double variance = std::pow(std::log(2.0) / 2, 2);
  int checked = 0;
  for (const auto& row : cells(out / "prior.csv")) {
    REQUIRE(row.size() == 8);
    if (row[0] != "fashion-mnist") continue;
    const double s2 = std::pow(std::stod(row[2]), 2), v = variance + s2, wide = 784 * variance + s2;
    CHECK(std::stod(row[3]) == Approx((784 * std::log(v / s2) - std::log(wide / s2)) / 2).epsilon(1e-3));
    CHECK(std::stod(row[5]) == Approx(std::sqrt(v / wide)).epsilon(1e-3));
    ++checked;
  }
  CHECK(checked == 7);
  CHECK_THAT(html, Contains("<h2>") && Contains(read_file(out / "prior.svg")) && !Contains("nan"));
}

TEST_CASE("the spirals: both charts, each sampler with its evaluations, and the pictures", "[study]") {
  const Folder folder;
  const std::string html = study_spirals({folder.path, "", 0, true});
  // Who learnt no more than the data's mean and deviation draws a normal: how far that is from exact draws of
  // the study's number, on average over a few sets (0.29, where exact draws are 0.16 from one another).
  double normal_distance = 0;
  for (std::uint64_t k = 0; k < 4; ++k) {
    const Tensor exact = spirals(400, Key{k});
    const Edm fit = Edm::fitted(exact);
    const Var like = fit.mean + fit.deviation * Var(normal(Key{10 + k}, {400, 2}));
    normal_distance += sliced_wasserstein(like.value(), spirals(400, Key{20 + k}), 64, Key{1}) / 4;
  }
  std::string found;
  for (const auto& row : cells(folder.path / "spirals.csv")) {
    REQUIRE(row.size() == 6);
    found += row[0] + " " + row[1] + " " + row[2] + "; ";
    CHECK(std::stod(row[3]) < normal_distance);
  }
  CHECK(found ==
        "gbm heun 79; gbm heun 19; gbm dpm-solver 20; gbm ancestral 100; gbm dale-langevin 250; "
        "ve heun 79; ve heun 19; ve dpm-solver 20; ve ancestral 100; ");
  CHECK(read_png(folder.path / "spirals_density.png").shape() == Shape{1, 288, 872});
  for (const char* name : {"gbm", "ve", "gbm_forward", "ve_forward"})
    CHECK_THAT(read_file(folder.path / fmt::format("spirals_{}.svg", name)), Contains("<polyline"));
  CHECK_THAT(html, Contains(", 0 where it multiplies") && Contains("data:image/png;base64"));
}
