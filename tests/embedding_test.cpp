// How data become positive and come back; data in units of their own through training, sampling, likelihood.
#include "diffusion/embedding.h"

#include <regex>

#include "experiments/data/dataset.h"
#include "experiments/data/idx.h"
#include "experiments/judge/values.h"
#include "experiments/run/likelihood.h"
#include "experiments/run/sample.h"
#include "experiments/run/train.h"
#include "experiments/studies/study.h"
#include "tensor/draw.h"
#include "tensor/npy.h"
#include "tests/compare.h"
#include "tests/folder.h"

using namespace dale;

TEST_CASE("embeddings and their inverses, slopes and domains", "[diffusion][errors]") {
  CHECK(values(Embedding{}.embed(Tensor({2}, {0, 1}))) == Values{1, 2});
  CHECK(values(Embedding{}.data_of(Tensor({3}, {0.5, 1.25, 9}))) == Values{0, 0.25, 1});
  const Tensor data({2, 2}, {0.5, 1, 2, 4});
  for (const char* name : {"pixels", "identity", "offset:0.5", "log"}) {
    INFO(name);
    const Embedding e = embedding_named(name);
    CHECK(e.name() == name);
    if (e != Embedding{}) CHECK(gap(e.data_of(e.embed(data)), data) < 1e-6);
    const Var d = parameter(data);
    const Var slope = grad(sum(e.embed(d)), {d})[0];
    CHECK(gap(e.log_slope(data), log(slope)) < 1e-6);
  }
  CHECK(values(embedding_named("offset:0.5").data_of(Tensor({2}, {0.25, 1}))) == Values{0, 0.5});
  REFUSES(embedding_named("offset:0"), "the embedding offset:0 needs a number above 0");
  REFUSES(embedding_named("offset:1x"), "needs a number above 0");
  REFUSES(embedding_named("logs"), "did you mean 'log'");
  const Tensor bad({2, 3}, {1, 0, 2, -1, 3, 0.5});
  const auto refuses = [&](const char* name, const char* fragment) {
    CHECK_THROWS_WITH(embedding_named(name).expect_domain(bad, "rain"), Contains(fragment));
  };
  refuses("identity",
          "rain: 2 of 6 values are not above 0, as the embedding identity takes them; the first, "
          "at (0,1), is 0: choose --embedding offset:C, C > 0, for what may be 0");
  refuses("offset:1",
          "1 of 6 values are not 0 or more, as the embedding offset:1 takes them; the first, at "
          "(1,0), is -1");
  refuses("pixels", "3 of 6 values are not in [0, 1]");
  embedding_named("log").expect_domain(data, "rain");
}

TEST_CASE("data in their own units: ve on their logarithms is gbm on themselves, number by number",
          "[train]") {
  const Folder w;
  const auto options = [&](const char* file, const char* process, const char* embedding) {
    return TrainOptions{.dataset = w / file,
                        .process = process,
                        .embedding = embedding,
                        .out = w / process,
                        .steps = 8,
                        .batch = 5,
                        .channels = 8};
  };
  const Tensor data = exp(Var(normal(Key{9}, {40, 1, 8, 8}))).value();
  write_npy(w / "positive.npy", data);
  const auto run = [&](const char* process, const char* embedding) {
    const TrainResult trained = train(options("positive.npy", process, embedding));
    Model model = load_model(trained.model);
    CHECK(model.embedding.name() == embedding);
    return std::pair(sample(model, {.steps = 4, .count = 3}).images,
                     likelihood({trained.model, w / "positive.npy"}));
  };
  const auto [gbm, bits] = run("gbm", "identity");
  const auto [ve, other_bits] = run("ve", "log");
  CHECK(gbm.to_vector() == ve.to_vector());
  for (real v : gbm.to_vector()) CHECK(v > 0);
  CHECK(bits.bits == Approx(other_bits.bits).epsilon(1e-5));

  const auto refuses = [&](const char* process, const char* embedding, const char* fragment) {
    TrainOptions o = options("images.npy", process, embedding);
    o.out = w / "refused";
    CHECK_THROWS_WITH(train(o), Contains(fragment));
    CHECK(!fs::exists(o.out));
  };
  refuses("gbm", "log", "the process gbm multiplies what is positive, and logarithms are not");
  Tensor zeros = data.clone();
  zeros.data()[70] = zeros.data()[4 * 64] = 0;  // images 1, trained on, and 4, kept back
  write_npy(w / "images.npy", zeros);
  refuses("gbm", "identity",
          "1 of 2048 values are not above 0, as the embedding identity takes them; the first, "
          "at (1,0,0,6), is 0");
  refuses("gbm", "pixels", "values are not in [0, 1]");
  const fs::path trained = w / "gbm" / "model.safetensors";
  LikelihoodOptions of_zeros{trained, w / "images.npy"};
  of_zeros.count = 8;
  CHECK_THROWS_WITH(likelihood(of_zeros), Contains("images.npy: ") && Contains("as the embedding identity"));
  TrainOptions tuned = tuning_of(trained);
  tuned.dataset = w / "images.npy";
  tuned.out = w / "tuned";
  CHECK_THROWS_WITH(train(tuned), Contains("images.npy: 1 of 2048") && Contains("as the embedding identity"));
  refuses("ve", "offset", "unknown embedding 'offset'");
  write_npy(w / "images.npy", Tensor::full({40, 1, 8, 8}, 1));
  refuses("gbm", "identity", "images.npy: every value is 1; expected images that differ");
}

TEST_CASE("values of images: shares, quantiles, distances and scales", "[values][errors]") {
  const Index N = 50, side = 16;
  Tensor test({N, 1, side, side}), waves(test.shape());
  const Tensor noise = normal(Key{3}, test.shape());
  for (Index i = 0; i < test.size(); ++i) {
    test.data()[i] = static_cast<real>(scalar::exp(noise.data()[i]));
    const double angle = 2 * std::numbers::pi * static_cast<double>(3 * (i % side)) / side;
    waves.data()[i] = static_cast<real>(scalar::exp(scalar::cos(angle)));
  }
  const double least = least_positive(test);
  const ValueSummary same = values_of(test, least);
  CHECK((same.not_positive == 0 && log_distance(same, same) == 0));
  CHECK(same.quantiles[4] == Approx(1).margin(0.03));
  for (double p : same.spectrum) CHECK(p == Approx(1).margin(0.15));  // white noise of variance 1
  CHECK(log_distance(values_of((Var(test) * 2).value(), least), same) == Approx(std::log(2)).epsilon(1e-5));
  const ValueSummary shifted = values_of((Var(test) - 1).value(), least);
  CHECK(shifted.not_positive == Approx(0.5).margin(0.01));
  const ValueSummary one_scale = values_of(waves, least);
  for (std::size_t k = 0; k < one_scale.spectrum.size(); ++k)  // all of the power in two waves of the ring
    CHECK((one_scale.spectrum[k] > 1e-6) == (k + 1 == 3));
  REFUSES(compare_values(Tensor::full({1, 1, 4, 4}, 1), test, test), "expected (N,C,H,W) of one size");
  REFUSES(least_positive(Tensor::full(test.shape(), 0)), "no test image has a value above 0");
  REFUSES(values_of(Tensor::full(test.shape(), std::nan("")), least), "a value is nan");
}

TEST_CASE("rain: bytes become rates within their half decibel, and the study's two roads meet", "[rain]") {
  const fs::path shipped = pretrained(rain_name);
  const Dataset train = load_rain(shipped.parent_path(), Split::train),
                test = load_dataset("rain", "", Split::test);
  CHECK(train.images.shape() == Shape{1300, 1, 28, 28});
  CHECK(train.note == "the 1300 patches that come with dale, of 8000");
  CHECK(test.images.dim(0) >= 400);
  CHECK(load_rain(shipped.parent_path(), Split::train).images.to_vector() == train.images.to_vector());
  const Tensor v = npy_array(read_gzip(shipped / "train.npy.gz", ~0ull), "rain");
  const auto rate = [](double bytes) {
    return std::pow(std::pow(10, (bytes / 2 - 32) / 10) / 223, 1 / 1.53);
  };
  for (Index i = 0; i < v.size(); i += 997) {
    const double r = train.images.data()[i], byte = v.data()[i];
    CHECK((r >= rate(byte - 0.5) * 0.9999 && r <= rate(byte + 0.5) * 1.0001));
  }

  const Folder folder;
  const std::string html = study_rain({folder.path, shipped.parent_path(), 0, true, 2});
  CHECK_THAT(html, Contains("CC BY 4.0") && Contains("2 training seed(s)"));
  std::stringstream csv(read_file(folder.path / "rain.csv"));
  std::string line;
  std::getline(csv, line);
  const std::regex two_roads(".*,([^,]*),[^,]*,\\1");  // …, gbm, ve, ve of logarithms
  while (std::getline(csv, line)) CHECK(std::regex_match(line, two_roads));
}
