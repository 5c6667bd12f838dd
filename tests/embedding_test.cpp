// How data become positive and come back; data in units of their own through training, sampling, likelihood.
#include "diffusion/embedding.h"

#include "experiments/run/likelihood.h"
#include "experiments/run/sample.h"
#include "experiments/run/train.h"
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
  TrainOptions usual;
  usual.steps = 8;
  usual.batch = 5;
  usual.channels = 8;
  const Tensor data = exp(Var(normal(Key{9}, {40, 1, 8, 8}))).value();
  write_npy(w.path / "positive.npy", data);
  const auto run = [&](const char* process, const char* embedding) {
    TrainOptions o = usual;
    o.dataset = w.path / "positive.npy";
    o.out = w.path / process;
    o.process = process;
    o.embedding = embedding;
    Model model = load_model(train(o).model);
    CHECK(model.embedding.name() == embedding);
    SampleOptions s;
    s.steps = 4;
    s.count = 3;
    return std::pair(sample(model, s).images,
                     likelihood({w.path / process / "model.safetensors", o.dataset}));
  };
  const auto [gbm, bits] = run("gbm", "identity");
  const auto [ve, other_bits] = run("ve", "log");
  CHECK(gbm.to_vector() == ve.to_vector());
  for (real v : gbm.to_vector()) CHECK(v > 0);
  CHECK(bits.bits == Approx(other_bits.bits).epsilon(1e-5));

  const auto refuses = [&](const char* process, const char* embedding, const char* fragment) {
    TrainOptions o = usual;
    o.dataset = w.path / "images.npy";
    o.out = w.path / "refused";
    o.process = process;
    o.embedding = embedding;
    CHECK_THROWS_WITH(train(o), Contains(fragment));
    CHECK(!fs::exists(o.out));
  };
  refuses("gbm", "log", "the process gbm multiplies what is positive, and logarithms are not");
  Tensor zeros = data.clone();
  zeros.data()[70] = 0;
  write_npy(w.path / "images.npy", zeros);
  refuses("gbm", "identity",
          "1 of 2048 values are not above 0, as the embedding identity takes them; the first, "
          "at (1,0,0,6), is 0");
  refuses("gbm", "pixels", "values are not in [0, 1]");
  refuses("ve", "offset", "unknown embedding 'offset'");
  write_npy(w.path / "images.npy", Tensor::full({40, 1, 8, 8}, 1));
  refuses("gbm", "identity", "it must vary and be finite");
}
