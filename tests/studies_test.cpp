// The studies and what they stand on: plots, the other two optimisers, and the synapses on a data set made up
// here.
#include <filesystem>

#include "experiments/page/figure.h"
#include "experiments/studies/study.h"
#include "nn/mlp.h"
#include "nn/optim.h"
#include "tensor/file.h"
#include "tests/catch.h"
#include "tests/folder.h"

using namespace dale;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::size_t occurrences(const std::string& text, const std::string& of) {
  std::size_t n = 0;
  for (std::size_t at = text.find(of); at != std::string::npos; at = text.find(of, at + 1)) ++n;
  return n;
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
  CHECK_THAT(drawn(Mark::points), Contains("<circle") && !Contains("<polyline"));
  CHECK(occurrences(drawn(Mark::marked_line), "<") == occurrences(drawn(Mark::line), "<") + 4);
  CHECK(occurrences(drawn(Mark::bars), "<polyline") == 1);
  CHECK(occurrences(plot({}, {{"a name", x, y}, {"", x, y}}), "stroke-width='3'") == 1);
  const std::string seven =
      plot({}, std::vector<Series>(7, {"s", x, y}));  // a seventh curve is dashed: twice and once
  CHECK(occurrences(seven, "stroke-dasharray='6 4'") == 3);
  const std::string bars = plot({"", "", "", true, true}, {{"", {1, 10, 100}, {0, 5, 50}, Mark::bars}});
  CHECK_THAT(bars, !Contains("inf") && !Contains("nan"));
}

TEST_CASE("a histogram is a density", "[figure]") {
  const Series h = histogram("h", {0, 0.1, 0.9, 1, 2, -1, 1.5, 0.5}, 0, 1, 2);
  CHECK(h.x == std::vector<double>{0.25, 0.75});
  CHECK(h.y == std::vector<double>{2 / 4.0, 3 / 4.0});  // 2 and 3 of 8 values in bins of ½; three outside
  CHECK_THROWS_WITH(histogram("h", {}, 1, 1, 2), Contains("[histogram] 2 bins on [1, 1]: expected low"));
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
  CHECK_THROWS_WITH(Mlp({3}, Key{1}), Contains("[mlp] 1 widths: expected at least an input's"));
  CHECK_THROWS_WITH(Mlp({3, 0}, Key{1}), Contains("[mlp] a width is 0; it must be positive"));
  GradientDescent descent(parameters(net));
  CHECK_THROWS_WITH(descent.step({}, 1), Contains("[gradient descent] 0 gradients for 4 parameters"));
  ExponentiatedGradient eg({{"w", &net.layers[1].weight}});
  CHECK_THROWS_WITH(eg.step({Tensor({2})}, 1), Contains("[exponentiated gradient] the gradient of w has shape"
                                                        " (2), the parameter (1,2)"));
}

TEST_CASE("the fit of a normal distribution and its Kolmogorov–Smirnov distance", "[study]") {
  const NormalFit f = fit_normal({1, -1});
  CHECK((f.mean == 0 && f.deviation == 1));
  CHECK(f.distance == Approx(0.5 - 0.158655254));  // F jumps from 0 to ½ at −1, where Φ = 0.1587
  const std::vector<real> z = normal(Key{3}, {10000}).to_vector();
  CHECK(fit_normal({z.begin(), z.end()}).distance < 0.01);  // of order 1/√n
  CHECK_THROWS_WITH(fit_normal({2, 2}), Contains("[fit_normal] 2 values of standard deviation 0 fit no"));
}

TEST_CASE("the synapses study leaves its files", "[study]") {
  const Folder folder;
  for (const std::string part : {"train", "t10k"})
    write_part(folder / "fashion-mnist", part, noise(300 * 784, 256), noise(300, 10));
  const std::string html = study_synapses({folder / "out", folder.path.string(), 1, true});
  CHECK_THAT(html, Contains("<h2>Synapses</h2>") && Contains("exponentiated gradient") && !Contains("nan"));
  CHECK(occurrences(html, "<svg") == 5);
  const std::string curves = read_file(folder.path / "out" / "synapses.csv");
  CHECK_THAT(curves, Contains("optimiser,epoch,accuracy,sign_changes\nstart,0,"));
  CHECK(occurrences(curves, "\n") == 8);  // header, start, and epochs 0 and 1 of three optimisers
  for (const char* name : {"start", "gradient-descent", "adam", "exponentiated-gradient"})
    CHECK(fs::exists(folder.path / "out" / fmt::format("synapses_weights_{}.svg", name)));
  CHECK(occurrences(read_file(folder.path / "out" / "synapses_weights.csv"), "\n") == 5);
}
