// Chapter III: optimisers against their formulas, and the U-Net against the reference implementation's names
// and outputs. What layers compute, and their derivatives, torch_test.cpp holds to PyTorch's.
#include <numeric>

#include "nn/checkpoint.h"
#include "nn/optim.h"
#include "nn/unet.h"
#include "tests/compare.h"

using namespace dale;

TEST_CASE("R1's parameters are PyTorch's, in its order", "[nn]") {
  ScoreUNet net({}, Key{1});
  std::string names;
  for (const auto& p : parameters(net)) names += p.name + " ";
  CHECK(read_safetensors("tests/fixtures/torch_agreement.safetensors").metadata.at("names") == names);
}

TEST_CASE("weights that PyTorch saved load by name", "[nn][peer]") {
  ScoreUNet net({8, {1, 2}, 16}, Key{1});
  const std::string path = "tests/fixtures/torch_unet.safetensors";
  assign_parameters(parameters(net), read_safetensors(path), path);
  const NamedTensors example = read_safetensors("tests/fixtures/torch_unet.example.safetensors");
  const Tensor output = example.at("output");
  CHECK(gap(net(example.at("x"), example.at("t")), output) < 1e-4 * largest(numbers(output)));
}

TEST_CASE("Newton-Schulz brings singular values near 1 and leaves singular vectors", "[nn]") {
  const auto identity = [](Index d) {
    std::vector<std::int32_t> all(static_cast<std::size_t>(d));
    std::iota(all.begin(), all.end(), 0);
    return one_hot(IntTensor({d}, all), d);
  };
  const auto reflection = [&](Index d, Key key) {
    const Var v = normal(key, {d, 1});
    return identity(d) - 2 * matmul(v, v, false, true) / sum(v * v);
  };
  const auto turned = [&, Q = reflection(5, Key{1}), R = reflection(8, Key{2})](const Numbers& singular) {
    const Var diagonal = identity(5) * Var(Tensor({5}, Values(singular.begin(), singular.end())));
    return matmul(Q, matmul(concat({diagonal, Tensor::full({5, 3}, 0)}, 1), R));
  };
  // Each singular value goes its own way, by the scalar polynomial.
  const Numbers s{1, 0.5, 0.1, 0.02, 0.004};
  const double size = std::sqrt(std::inner_product(s.begin(), s.end(), s.begin(), 0.0));
  Numbers near_one;
  for (double x : s) {
    x /= size;
    for (int k = 0; k < 5; ++k) x = 3.4445 * x - 4.7750 * std::pow(x, 3) + 2.0315 * std::pow(x, 5);
    CHECK((x > 0.68 && x < 1.20));
    near_one.push_back(x);
  }
  // A tall matrix is the transpose of a wide one, and nothing stays so.
  const Var x = turned(s), X = orthogonalised(x);
  CHECK(gap(X, turned(near_one)) < 1e-4);
  CHECK(gap(orthogonalised(permute(x, {1, 0})), permute(X, {1, 0})) < 1e-5);
  CHECK(max(abs(orthogonalised(0 * x))).item() == 0);
}

TEST_CASE("a step of Muon is its formula, for tall kernels and wide ones", "[nn]") {
  for (const Shape& shape : {Shape{6, 2, 1, 1}, Shape{2, 3, 2, 1}}) {
    const Tensor start = normal(Key{1}, shape), g = normal(Key{2}, shape);
    Var w = parameter(start.clone());
    Muon muon({{"w", &w}}, {.rate = 3, .momentum = 0.75});
    muon.step({Var(g)}, 0.5, 0.25);
    const Index rows = shape[0], columns = w.size() / rows;
    const Var part = reshape(Var(g) * (0.25 * 0.25), {rows, columns}), X = orthogonalised(part * 1.75);
    const double stretch = std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
    CHECK(gap(w, Var(start) - reshape(X, shape) * static_cast<real>(0.5 * 3 * stretch)) < 1e-6);
  }
}

TEST_CASE("Muon descends a quadratic, and where it takes nothing it is Adam", "[nn]") {
  const Var target = normal(Key{1}, {6, 2, 3, 3});
  Var w = parameter(Tensor::full({6, 2, 3, 3}, 0)), b = parameter(Tensor::full({6}, 1));
  const auto loss = [&] { return 0.5 * sum(square(w - target)) + 0.5 * sum(square(b)); };
  Muon muon({{"w", &w}, {"b", &b}});
  const double before = loss().item();
  for (int k = 0; k < 300; ++k) muon.step(grad(loss(), {w, b}), 0.02 * (1 - k / 300.0));
  CHECK(loss().item() < 1e-3 * before);
  std::string names;
  muon.visit([&](const std::string& name, Tensor&) { names += name + " "; });
  CHECK(names == "muon.w adam.m.b adam.v.b ");
  Var p = parameter(Tensor::full({2, 2}, 1)), q = parameter(Tensor::full({2, 2}, 1));
  const Var g = normal(Key{2}, {2, 2});
  Muon({{"p", &p}}, {.orthogonalises = [](const NamedParameter&) { return false; }}).step({g}, 0.1);
  Adam({{"q", &q}}).step({g}, 0.1);
  CHECK(gap(p, q) == 0);
}

TEST_CASE("Adam and AdamW follow their formulas", "[nn]") {
  for (double decay : {0.0, 0.1}) {
    Linear layer(3, 2, Key{4});
    auto all = parameters(layer);
    Adam adam(all, {0.9, 0.99, 1e-8, decay});
    Numbers w = numbers(layer.weight), m(6), v(6);
    for (int t = 1; t <= 5; ++t) {
      const Tensor g = normal(Key{static_cast<std::uint64_t>(t)}, {2, 3});
      adam.step({g, Tensor::full({2}, 0)}, 0.01, 0.5);
      for (std::size_t i = 0; i < 6; ++i) {
        const double gi = 0.5 * numbers(g)[i];
        m[i] = 0.9 * m[i] + 0.1 * gi;
        v[i] = 0.99 * v[i] + 0.01 * gi * gi;
        const double mh = m[i] / (1 - std::pow(0.9, t)), vh = v[i] / (1 - std::pow(0.99, t));
        w[i] -= 0.01 * (mh / (std::sqrt(vh) + 1e-8) + decay * w[i]);
      }
    }
    for (std::size_t i = 0; i < 6; ++i) CHECK(numbers(layer.weight)[i] == Approx(w[i]).epsilon(1e-5));
  }
}

TEST_CASE("the average of the weights warms up", "[nn]") {
  Linear layer(1, 1, Key{1});
  layer.weight = parameter(Tensor({1, 1}, {0}));
  Ema ema(parameters(layer), 0.15);
  layer.weight.leaf_value() = Tensor({1, 1}, {1});
  double expected = 0;
  for (double decay : {0.1, 0.15, 0.15}) {  // (1 + n)/(10 + n) = 0.1, 0.18…
    ema.update();
    expected += (1 - decay) * (1 - expected);
    CHECK(ema.average()[0].item() == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("clipping bounds the global norm", "[nn]") {
  const Vars g{Tensor({2}, {3, 0}), Tensor({1}, {4})};
  CHECK(global_norm(g) == Approx(5));
  CHECK(clip_scale(5, 1) == Approx(0.2));
  CHECK(clip_scale(0.5, 1) == 1);
  CHECK(clip_scale(5, 0) == 1);
}

TEST_CASE("parameters load by name and shape or not at all", "[nn][errors]") {
  Linear layer(2, 1, Key{1});
  const auto all = parameters(layer);
  const Values before = values(layer.weight);
  NamedTensors file;
  file.tensors = {{"weight", Tensor::full({1, 2}, 7)}};
  REFUSES(assign_parameters(all, file, "f"), "f: it has no tensor 'bias'");
  file.tensors.emplace_back("bias", Tensor::full({2}, 7));
  REFUSES(assign_parameters(all, file, "f"), "tensor 'bias' has shape (2), the network expects (1)");
  CHECK(values(layer.weight) == before);
  file.tensors[1].second = Tensor::full({1}, 7);
  file.tensors.emplace_back("extra", Tensor::full({1}, 7));
  REFUSES(assign_parameters(all, file, "f"), "the network has no parameter 'extra'");
  file.tensors.pop_back();
  assign_parameters(all, file, "f");
  CHECK(values(layer.weight) == Values{7, 7});
  Linear other(2, 1, Key{2});  // another network from the same file has weights of its own
  assign_parameters(parameters(other), file, "f");
  CHECK(layer.weight.value().data() != other.weight.value().data());
}

TEST_CASE("dropout keeps the mean, follows its key, and is a constant to every derivative", "[nn]") {
  const Var x = parameter(Tensor::full({100, 100}, 2));
  const auto dropout = [](Key key) { return Dropout{0.25, IntTensor({4}, random_state(key))}; };
  const Dropout drop = dropout(Key{3});
  const Values y = values(drop(x));
  const auto zeros = std::count(y.begin(), y.end(), real{0});
  CHECK(std::abs(static_cast<double>(zeros) - 2500) < 5 * std::sqrt(10000 * 0.25 * 0.75));
  for (real v : y) REQUIRE((v == 0 || v == Approx(2 / 0.75)));
  CHECK(values(drop(x)) == y);
  CHECK(values(drop(x.value().slice(0, 0, 7).packed())) == std::vector(y.begin(), y.begin() + 700));
  CHECK(values(dropout(Key{4})(x)) != y);
  const Dropout two{0.25, IntTensor({2, 4}, Dropout::words(Key{3}, 2))};
  CHECK(values(two.layer(1)(x)) == values(dropout(Key{3}.split(1))(x)));
  CHECK(Dropout{}(x).node() == x.node());
  const Var g = grad(sum(square(drop(x))), {x}, true)[0];  // 2 m² x with m the mask
  const Values slope = values(grad(sum(g), {x})[0]);
  for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(slope[i] == Approx(y[i] == 0 ? 0 : 2 / 0.75 / 0.75));
}

TEST_CASE(
    "a network with dropout and classes: masks differ from block to block, and without both it is as it was",
    "[nn]") {
  const UNetShape plain{8, {1, 2}}, labelled{8, {1, 2}, 128, 3};
  const ScoreUNet net(plain, Key{1}), told(labelled, Key{1});
  const Var x(normal(Key{2}, {2, 1, 8, 8})), t(Tensor({2}, {0.1, 0.2}));
  const auto output = [&](const ScoreUNet& n, const Condition& c) { return values(n(x, t, c)); };
  const Values still = values(net(x, t));
  const auto dropout = [&](double rate, Key key) {
    return Dropout{rate, IntTensor({net.dropouts(), 4}, Dropout::words(key, net.dropouts()))};
  };
  const Values masked = output(net, {{}, dropout(0.5, Key{9})});
  CHECK(output(net, {{}, dropout(0, Key{9})}) == still);
  CHECK((masked != still && masked == output(net, {{}, dropout(0.5, Key{9})})));
  CHECK(masked != output(net, {{}, dropout(0.5, Key{8})}));
  CHECK(told.label->shape() == Shape{4, 128});
  CHECK(output(told, {IntTensor({2}, {0, 1}), {}}) != output(told, {IntTensor({2}, {1, 0}), {}}));
  REFUSES(told(x, t, {IntTensor({2}, {0, 4}), {}}), "[gather]");
  const Var loss = sum(square(told(x, t, {IntTensor({2}, {0, 3}), dropout(0.5, Key{1})})));
  CHECK(all_finite(grad(loss, {*told.label})[0].value()));
}

TEST_CASE("self-attention: a pixel alone sees itself, and which pixel is where does not matter", "[nn]") {
  const SelfAttention attends(2, 4, Key{1});
  const Var alone(normal(Key{2}, {3, 4, 1, 1})), x(normal(Key{3}, {2, 4, 3, 5}));
  const Var value = slice(attends.tokens(attends.norm(alone)), 1, 8, 12);
  CHECK(gap(attends(alone), (attends.out(value) + alone).value()) < 1e-6);
  CHECK(gap(attends(flip(flip(x, 2), 3)), flip(flip(attends(x), 2), 3).value()) < 1e-5);
  CHECK(gap(attends(x), x.value()) > 0.01);

  UNetShape shape{8, {1, 2}, 16};
  shape.colours = 3;
  shape.attention = {1};
  ScoreUNet net(shape, Key{1});
  std::string with;
  for (const auto& p : parameters(net))
    if (p.name.find("attention.out.weight") != p.name.npos) with += p.name + " ";
  CHECK(with == "down.1.attention.out.weight middle.attention.out.weight up.0.attention.out.weight ");
  CHECK(net(Tensor::full({2, 3, 4, 6}, 0.1), Tensor({2}, {0.1, 0.2})).shape() == Shape{2, 3, 4, 6});
  shape.attention = {2};
  REFUSES(ScoreUNet(shape, Key{1}), "[unet] attention at level 2: the levels are 0 to 1");
}

TEST_CASE("bad networks and steps", "[nn][errors]") {
  REFUSES(ScoreUNet({12}, Key{1}), "[unet] 12 channels times 1 must be a positive multiple of 8");
  REFUSES(ScoreUNet({8, {}}, Key{1}), "[unet] there are no multipliers");
  REFUSES(ScoreUNet({8, {1}, 7}, Key{1}), "the time width 7 must be even");
  ScoreUNet net({8}, Key{1});
  REFUSES(net(Tensor({1, 1, 30, 28}), Tensor({1})),
          "[unet] x (1,1,30,28) must be (N,1,H,W) with H and W multiples of 4");
  REFUSES(net(Tensor({2, 1, 28, 28}), Tensor({1})),
          "[unet] t (1) must have one time for each of the 2 images");
  Adam adam(parameters(net));
  REFUSES(adam.step({}, 0.1), "[adam] 0 gradients for");
}
