// The studies and what they stand on: plots and the other two optimisers; then each study in its quick form,
// on data sets made up here.
#include <numeric>
#include <sstream>

#include "diffusion/denoiser.h"
#include "diffusion/exact.h"
#include "experiments/page/page.h"
#include "experiments/pictures/image.h"
#include "experiments/studies/study.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "tests/folder.h"

using namespace dale;

namespace {

std::size_t occurrences(const std::string& text, const std::string& of) {
  std::size_t n = 0;
  for (std::size_t at = text.find(of); at != std::string::npos; at = text.find(of, at + 1)) ++n;
  return n;
}

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

TEST_CASE("logarithmic axes stay legible over any range", "[figure]") {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {1.2, 1.9}, {3, 4}, {1, 10}, {1, 999}, {1e-3, 1e3}, {1e-12, 1e12}, {1e-300, 1e300}, {5, 5}}) {
    const std::string svg = plot({"t", "", "", true, true}, {{"", {low, high}, {low, high}}});
    const std::size_t labels = occurrences(svg, "text-anchor='middle'") - 3;  // title and names of the axes
    INFO(low << " to " << high << "\n" << svg);
    CHECK((labels >= 2 && labels <= 8));
    CHECK(occurrences(svg, "text-anchor='end'") == labels);
    CHECK(svg.find("nan") == std::string::npos);
  }
}

TEST_CASE("each mark is drawn, in the legend if named, and breaks where it is not finite", "[figure]") {
  const double nan = std::nan("");
  const std::vector<double> x{1, 2, 3, 4, 5}, y{1, 2, nan, 2, 1};
  const auto drawn = [&](Mark mark) { return plot({}, {{"", x, y, mark}}); };
  CHECK(occurrences(drawn(Mark::line), "<polyline") == 2);
  CHECK_THAT(drawn(Mark::points), Contains("<path") && !Contains("<polyline"));
  CHECK(occurrences(drawn(Mark::marked_line), "<") == occurrences(drawn(Mark::line), "<") + 4);
  CHECK(occurrences(drawn(Mark::bars), "<polyline") == 1);
  CHECK(occurrences(plot({}, {{"a name", x, y}, {"", x, y}}), "stroke-width='3'") == 1);
  const std::string seven =
      plot({}, std::vector<Series>(7, {"s", x, y}));  // a seventh curve is dashed: twice and once
  CHECK(occurrences(seven, "stroke-dasharray='6 4'") == 3);
  const std::string bars = plot({"", "", "", true, true}, {{"", {1, 10, 100}, {0, 5, 50}, Mark::bars}});
  CHECK_THAT(bars, !Contains("inf") && !Contains("nan"));
}

TEST_CASE("plots leave out what is not finite and survive what is degenerate", "[figure]") {
  const double nan = std::nan("");
  for (const auto& y : std::vector<std::vector<double>>{{}, {1}, {2, 2, 2}, {1, nan, 3}, {0, -1, 5}}) {
    std::vector<double> x(y.size());
    std::iota(x.begin(), x.end(), 0);
    const std::string svg = plot({"a < b", "x", "y", true}, {{"s & t", x, y}});
    CHECK_THAT(svg, Contains("a &lt; b") && Contains("s &amp; t"));
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("inf") == std::string::npos);
  }
  const Series s = smoothed({"s", {1, 2, 3, 4}, {1, 3, 5, 7}}, 2, 4);
  CHECK(s.y == std::vector<double>{1, 2, 4, 6});
}

TEST_CASE("a histogram is a density", "[figure]") {
  const Series h = histogram("h", {0, 0.1, 0.9, 1, 2, -1, 1.5, 0.5}, 0, 1, 2);
  CHECK(h.x == std::vector<double>{0.25, 0.75});
  CHECK(h.y == std::vector<double>{2 / 4.0, 3 / 4.0});  // 2 and 3 of 8 values in bins of ½; three outside
  REFUSES(histogram("h", {}, 1, 1, 2), "[histogram] 2 bins on [1, 1]: expected low");
}

TEST_CASE("gradient descent with momentum, by hand", "[nn]") {
  Var w = parameter(Tensor({}, {1}));
  GradientDescent descent({{"w", &w}}, 0.5);
  descent.step({Tensor({}, {1})}, 0.1, 2);   // v = 2
  descent.step({Tensor({}, {-1})}, 0.1, 2);  // v = −1
  CHECK(static_cast<double>(w.item()) == Approx(0.9));
}

TEST_CASE("exponentiated gradient by hand; biases by ordinary steps, unless told otherwise", "[nn]") {
  Var w = parameter(Tensor({1, 3}, {2, -2, 3})), b = parameter(Tensor({2}, {1, -1}));
  const Vars g{Tensor({1, 3}, {1, 1, 0}), Tensor({2}, {1, 1})};
  ExponentiatedGradient both({{"w", &w}, {"b", &b}}, {.ordinary_rate = 0.5});
  both.step(g, 0.1, 2);
  const auto at = [](const Var& v, std::size_t i) { return static_cast<double>(v.value().to_vector()[i]); };
  CHECK((at(w, 0) == Approx(2 * std::exp(-0.2)) && at(w, 1) == Approx(-2 * std::exp(0.2)) && at(w, 2) == 3));
  CHECK((at(b, 0) == Approx(0.9) && at(b, 1) == Approx(-1.1)));
  const auto only_b = [](const NamedParameter& p) { return p.name == "b"; };
  ExponentiatedGradient({{"w", &w}, {"b", &b}}, {.multiplies = only_b}).step(g, 0.1);
  CHECK(at(w, 2) == 3);
  CHECK(at(b, 1) == Approx(-1.1 * std::exp(0.1)));
}

TEST_CASE("exponentiated gradient changes no sign in 1000 wild steps, and weights come back", "[nn]") {
  std::vector<real> start = normal(Key{1}, {40}).to_vector();
  start[0] = 0, start[1] = -real{0};
  Var w = parameter(Tensor({5, 8}, start));
  ExponentiatedGradient optimizer({{"w", &w}});
  Index changes = 0, odd = 0;
  for (std::uint64_t n = 0; n < 1000; ++n) {
    const Var z = normal(Key{2}.split(n), {5, 8});
    optimizer.step({z * z * z * std::pow(real{10}, static_cast<real>(n % 36))}, 1);
    const std::vector<real> now = w.value().to_vector();
    for (std::size_t i = 0; i < now.size(); ++i) {
      changes += std::signbit(now[i]) != std::signbit(start[i]);
      odd += !std::isnormal(now[i]);
    }
  }
  CHECK((changes == 0 && odd == 0));
  for (int n = 0; n < 20; ++n) optimizer.step({log(abs(w)) * w / abs(w)}, 0.5);  // halves log |w|
  for (real v : w.value().to_vector()) CHECK(std::abs(static_cast<double>(v)) == Approx(1).margin(0.01));
}

TEST_CASE("the perceptron's names and formula; bad widths and gradients", "[nn][errors]") {
  Mlp net({3, 2, 1}, Key{1});
  std::string names;
  for (const auto& p : parameters(net)) names += p.name + " ";
  CHECK(names == "layers.0.weight layers.0.bias layers.1.weight layers.1.bias ");
  const Var x = normal(Key{2}, {4, 3});
  CHECK(net(x).value().to_vector() == net.layers[1](relu(net.layers[0](x))).value().to_vector());
  REFUSES(Mlp({3}, Key{1}), "[mlp] 1 widths: expected at least an input's");
  REFUSES(Mlp({3, 0}, Key{1}), "[mlp] a width is 0; it must be positive");
  GradientDescent descent(parameters(net));
  REFUSES(descent.step({}, 1), "[gradient descent] 0 gradients for 4 parameters");
  ExponentiatedGradient eg({{"w", &net.layers[1].weight}});
  REFUSES(eg.step({Tensor({2})}, 1),
          "[exponentiated gradient] the gradient of w has shape"
          " (2), the parameter (1,2)");
}

TEST_CASE("the fit of a normal distribution and its Kolmogorov–Smirnov distance", "[study]") {
  const NormalFit f = fit_normal({1, -1});
  CHECK((f.mean == 0 && f.deviation == 1));
  CHECK(f.distance == Approx(0.5 - 0.158655254));  // F jumps from 0 to ½ at −1, where Φ = 0.1587
  const std::vector<real> z = normal(Key{3}, {10000}).to_vector();
  CHECK(fit_normal({z.begin(), z.end()}).distance < 0.01);  // of order 1/√n
  REFUSES(fit_normal({2, 2}), "[fit_normal] 2 values of standard deviation 0 fit no");
  REFUSES(fit_normal({1, std::nan(""), 2}), "[fit_normal] a value is nan");
  REFUSES(fit_normal({1, HUGE_VAL, 2}), "[fit_normal] a value is inf");
}

TEST_CASE("the synapses study leaves its files", "[study]") {
  const Folder folder;
  for (const std::string part : {"train", "t10k"})
    write_part(folder / "fashion-mnist", part, noise(300 * 784, 256), noise(300, 10));
  const std::string html = study_synapses({folder / "out", folder.path.string(), 1, true});
  CHECK_THAT(html, Contains("<h2>Synapses</h2>") && Contains("exponentiated gradient") && !Contains("nan"));
  CHECK(occurrences(html, "<svg") == 6);
  const std::string curves = read_file(folder.path / "out" / "synapses.csv");
  CHECK_THAT(curves, Contains("optimiser,epoch,accuracy,sign_changes\nstart,0,"));
  CHECK(occurrences(curves, "\n") == 10);  // header, start, and epochs 0 and 1 of four optimisers
  for (const char* name : {"start", "gradient-descent", "adam", "muon", "exponentiated-gradient"})
    CHECK(fs::exists(folder.path / "out" / fmt::format("synapses_weights_{}.svg", name)));
  CHECK(occurrences(read_file(folder.path / "out" / "synapses_weights.csv"), "\n") == 6);
}

TEST_CASE("the prior's divergence is the closed form for images that vary in one direction", "[study]") {
  // One black image, one white: C = σ² 1 1ᵀ with σ = ½ ln 2, ln det(C + s² I) = ln(784 σ² + s²) + 783 ln s².
  const Folder folder;
  const fs::path data = folder / "data", out = folder / "out";
  const std::string black(784, '\0'), white(784, '\xff'), labels(2, '\0');
  write_part(data / "fashion-mnist", "train", black + white, labels);

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
  const std::string file = read_file(out / "prior.svg");  // the page's plot, and colours of its own
  CHECK_THAT(html, Contains("<h2>") && Contains(file.substr(0, file.find("<style>"))) && !Contains("nan"));
  CHECK_THAT(file, Contains("prefers-color-scheme: dark"));
  CHECK(file.ends_with("</style>\n</svg>\n"));
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
  CHECK(read_image(folder.path / "spirals_density.png", 1).shape() == Shape{1, 288, 872});
  for (const char* name : {"gbm", "ve", "gbm_forward", "ve_forward"})
    CHECK_THAT(read_file(folder.path / fmt::format("spirals_{}.svg", name)), Contains("<polyline"));
  CHECK_THAT(html, Contains(", 0 where it multiplies") && Contains("data:image/png;base64"));
}

TEST_CASE("the figures of the chapters hold what they must, and are no part of a comparison", "[study]") {
  const Folder folder;
  write_part(folder / "fashion-mnist", "t10k", noise(300 * 784, 256), noise(300, 10));
  const fs::path out = folder / "out";
  const std::string html = study_figures({out, folder.path.string(), 0, true});
  const double root = std::exp(0.5);  // y = x eˣ, y′ = (x + 1) eˣ, y″ = (x + 2) eˣ at x = ½
  CHECK_THAT(read_file(out / "graph.svg"), Contains(fmt::format("y = {:.4f},   ∂y = {:.4f},   ∂²y = {:.4f}",
                                                                0.5 * root, 1.5 * root, 2.5 * root)) &&
                                               Contains(fmt::format("∂y′/∂x = {:.4f}", 2.5 * root)));
  const std::string network = read_file(out / "unet.svg");
  CHECK_THAT(network, Contains("48×28×28 → 16×28×28") && Contains("64×7×7 → 32×7×7") &&
                          Contains("214,801 parameters") && Contains("skip 32×14×14"));
  CHECK(occurrences(network, ">e</text>") == 7);  // the blocks
  // Rows of 28 × 28 pixels, doubled, 2 apart; 12 between groups.
  const auto height = [](Index rows, Index groups) { return rows * 58 - groups * 2 + (groups - 1) * 12; };
  CHECK(read_image(out / "forward.png", 1).shape() == Shape{1, height(12, 2), 8 * 58 - 2});
  CHECK(read_image(out / "samplers.png", 1).shape() == Shape{1, height(11, 4), 2 * 58 - 2});
  const std::string paths = read_file(out / "paths.svg");
  CHECK(occurrences(paths, "<polyline") == 2 * (6 + 2));  // and black and white
  CHECK_THAT(html, !Contains("left out") && Contains("<td class='name' data-head='sampler'>stochastic</td>"));
  CHECK_THAT(paths, !Contains("nan") && !Contains("inf"));
  for (const Study& study : studies) CHECK(study.compares == (study.name != std::string("figures")));
}
