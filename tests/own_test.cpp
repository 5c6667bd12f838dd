// Images of the user's own, in colour and of any size: how they are read and treated, and that all that a
// model does works on them. Whatever is random is a function of a key.

#include <nlohmann/json.hpp>

#include "experiments/compare/report.h"
#include "experiments/data/dataset.h"
#include "experiments/judge/evaluate.h"
#include "experiments/judge/values.h"
#include "experiments/pictures/image.h"
#include "experiments/run/likelihood.h"
#include "experiments/run/samples.h"
#include "experiments/run/train.h"
#include "tensor/npy.h"
#include "tests/folder.h"

using namespace dale;

namespace {

/// Twelve coloured pictures in two classes, of two sizes where asked for.
struct Pictures : Folder {
  fs::path images = path / "pictures";

  explicit Pictures(bool of_two_sizes) {
    for (Index n = 0; n < 12; ++n) {
      const fs::path folder = images / (n % 2 ? "shoe" : "bag");
      fs::create_directories(folder);
      const Index side = of_two_sizes && n % 3 == 0 ? 12 : 8;
      const Var shade = uniform(Key{5}.split(static_cast<std::uint64_t>(n)), {3, side, side});
      write_png(folder / fmt::format("{}.png", n), (shade * (n % 2 ? 0.5 : 1)).value());
    }
  }
};

TrainOptions small(const std::string& dataset, const fs::path& out) {
  return {.dataset = dataset, .out = out, .steps = 4, .batch = 4, .channels = 8};
}

}  // namespace

TEST_CASE("arrays of images, whatever their axes", "[data]") {
  const Folder w;
  const Tensor colour = uniform(Key{1}, {10, 3, 4, 6});
  write_npy(w / "first.npy", colour);
  write_npy(w / "last.npy", colour.permute({0, 2, 3, 1}).packed());
  write_npy(w / "grey.npy", colour.slice(1, 0, 1).reshape({10, 4, 6}));
  const Dataset first = load_dataset(w / "first.npy", ""), last = load_dataset(w / "last.npy", ""),
                grey = load_dataset(w / "grey.npy", ""),
                mean = load_dataset(w / "first.npy", "", Split::train, {.grey = true});
  CHECK(first.images.shape() == Shape{8, 3, 4, 6});
  CHECK(last.images.to_vector() == first.images.to_vector());
  CHECK(grey.images.shape() == Shape{8, 1, 4, 6});
  CHECK(mean.images.shape() == Shape{8, 1, 4, 6});
  CHECK(mean.images.to_vector()[0] == Approx((colour.data()[0] + colour.data()[24] + colour.data()[48]) / 3));
  CHECK(load_dataset(w / "first.npy", "", Split::train, {.height = 2, .width = 2}).images.shape() ==
        Shape{8, 3, 2, 2});
}

TEST_CASE("folders of pictures of several sizes and colours", "[data][errors]") {
  const Pictures w(true);
  REFUSES(load_dataset(w.images, ""),
          "a picture of (3,8,8) (colours, height, width); expected (3,12,12), like");
  Treatment how;
  set_size(how, "8");
  const Dataset data = load_dataset(w.images, "", Split::train, how);
  CHECK(data.images.shape() == Shape{10, 3, 8, 8});
  CHECK(data.class_names == std::vector<std::string>{"bag", "shoe"});
  CHECK_THAT(data.note, Contains("4 resized and cropped to 8x8"));
  write_png(w.images / "bag" / "0.png", uniform(Key{2}, {1, 8, 8}));  // a grey one among them
  const Dataset mixed = load_dataset(w.images, "", Split::train, how);
  const std::vector<real> grey = mixed.images.slice(0, 0, 1).to_vector();
  CHECK(std::vector<real>(grey.begin(), grey.begin() + 64) ==
        std::vector<real>(grey.begin() + 64, grey.begin() + 128));
  how.grey = true;
  CHECK(load_dataset(w.images, "", Split::train, how).images.dim(1) == 1);

  set_size(how, "12x8");
  CHECK((how.height == 12 && how.width == 8));
  CHECK(treatment_of(notes_of(how)) == how);
  for (const char* bad : {"", "0", "-3", "8x", "x8", "8x8x8", "8.5", "99999"})
    REFUSES(set_size(how, bad), "expected one such as 28, or 32x48");
}

TEST_CASE("CIFAR-10's records, from an archive and from files", "[data][errors]") {
  const Folder w;
  const fs::path folder = w.path / "cifar10";
  make_folder(folder);
  const auto records = [](int label, int count) {
    std::string all;
    for (int n = 0; n < count; ++n)
      all += static_cast<char>(label) + std::string(1024, '\xff') + std::string(1024, '\x33') +
             std::string(1024, '\0');
    return all;
  };
  const auto entry = [](const std::string& name, const std::string& bytes) {
    std::string head(512, '\0');
    head.replace(0, name.size(), name).replace(124, 11, fmt::format("{:011o}", bytes.size()));
    return head + bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
  };
  std::string tar =
      entry("cifar-10-batches-bin/", "") + entry("cifar-10-batches-bin/test_batch.bin", records(7, 2));
  for (int i = 1; i <= 5; ++i)
    tar += entry(fmt::format("cifar-10-batches-bin/data_batch_{}.bin", i), records(i, i));
  write_file(folder / "cifar-10-binary.tar.gz", gzipped(tar));
  const Dataset train = load_dataset("cifar10", w.path), test = load_dataset("cifar10", w.path, Split::test);
  CHECK(train.images.shape() == Shape{15, 3, 32, 32});
  CHECK(train.labels.to_vector() == std::vector<std::int32_t>{1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5});
  CHECK(test.labels.to_vector() == std::vector<std::int32_t>{7, 7});
  CHECK(test.note == "2 images of 10000");
  const std::vector<real> image = train.images.slice(0, 0, 1).to_vector();
  CHECK((image[0] == 1 && image[1024] == real(0x33) / 255 && image[2048] == 0));

  write_file(folder / "cifar-10-binary.tar.gz", gzipped(tar.substr(0, tar.size() / 2)));
  REFUSES(load_dataset("cifar10", w.path), "it has no whole data_batch_");
  fs::remove(folder / "cifar-10-binary.tar.gz");
  REFUSES(load_dataset("cifar10", w.path),
          "no cifar10/cifar-10-binary.tar.gz, data_batch_1.bin or train.bin");
  write_file(folder / "train.bin.gz", gzipped(records(3, 4)));
  CHECK(load_dataset("cifar10", w.path).images.dim(0) == 4);
  REFUSES(load_dataset("cifar10", w.path, Split::test), "has no test.bin, which belongs to train.bin.gz");
  write_file(folder / "train.bin.gz", gzipped(records(3, 4).substr(1)));
  REFUSES(load_dataset("cifar10", w.path), "12291 bytes; expected records of 3073");
  write_file(folder / "train.bin.gz", gzipped(records(12, 1)));
  REFUSES(load_dataset("cifar10", w.path), "record 0 has label 12; expected 0 to 9");
}

TEST_CASE("in colour, with attention and class names: from training to every use", "[train][own]") {
  const Pictures w(true);
  TrainOptions o = small(w.images, w.path / "run");
  set_size(o.treatment, "8x12");
  o.classes = true;
  o.multipliers = {1, 2};
  o.attention = {4};
  const Model trained = load_model(train(o).model);
  CHECK((trained.network.shape.colours == 3 && trained.height == 8 && trained.width == 12));
  CHECK(trained.attention() == std::vector<Index>{4});
  CHECK(class_names(trained.notes) == std::vector<std::string>{"bag", "shoe"});
  o.resume = true;
  o.steps = 6;
  const fs::path path = train(o).model;

  Model model = load_model(path), checkpoint = load_model(w.path / "run" / "checkpoint-00000006.safetensors");
  SampleOptions s{.steps = 3, .count = 4, .classes = {0, 1}, .guidance = 2};
  s.known = Tensor::full({3, 8, 12}, 0.25);
  s.mask = Tensor::full({1, 8, 12}, 0);
  for (Index i = 0; i < 48; ++i) s.mask.data()[i] = 1;  // the upper half is known
  const SampleResult made = sample(model, s);
  CHECK(made.images.shape() == Shape{4, 3, 8, 12});
  CHECK(sample(checkpoint, s).images.to_vector() == made.images.to_vector());
  for (Index c = 0; c < 3; ++c)
    CHECK(made.images.slice(0, 0, 1).slice(1, c, c + 1).to_vector()[5] == real(0.25));
  s.known = Tensor::full({1, 8, 12}, 0.25);
  REFUSES(sample(model, s),
          "the picture to complete is (1,8,12) and its mask (1,8,12); the model's images are (3,8,12)");

  // The pictures are resized as the model's were.
  CHECK(std::isfinite(likelihood({.model = path, .dataset = w.images, .steps = 4}).bits));
  TrainOptions tuning = tuning_of(path);
  tuning.dataset = w.images;
  tuning.out = w.path / "tuned";
  tuning.steps = 4;
  tuning.batch = 4;
  Model tuned = load_model(train(tuning).model);
  CHECK(sample(tuned, {.sampler = "consistency", .steps = 1, .count = 2}).images.shape() ==
        Shape{2, 3, 8, 12});
  CHECK(tuned.attention() == std::vector<Index>{4});

  write_npy(w.path / "grey.npy", uniform(Key{8}, {20, 1, 8, 12}));
  REFUSES(likelihood({path, w.path / "grey.npy"}),
          "the model makes images of (3,8,12) (colours, height, width), those of ");
  const auto refuses = [&](const auto& change, const char* message) {
    TrainOptions bad = small(w.images, w.path / "bad");
    set_size(bad.treatment, "8");
    change(bad);
    REFUSES(train(bad), message);
    CHECK(!fs::exists(bad.out));
  };
  refuses([](TrainOptions& t) { set_size(t.treatment, "10"); },
          "images of 10x10; a network of 3 levels halves them 2 times: choose a --size of multiples of 4");
  refuses([](TrainOptions& t) { t.attention = {7}; },
          "attention at images 7 high: the levels of this network are 8,4,2");
  refuses([](TrainOptions& t) { t.multipliers = {}; }, "there are no multipliers");
}

TEST_CASE("a run that is watched, listed, drawn and gone on from", "[train][own]") {
  const Pictures w(false);
  TrainOptions o = small(w.images, w.path / "run");
  const std::string unwatched = read_file(train(o).model);
  o.out = w.path / "watched";
  o.sample_every = 2;
  const fs::path model = train(o).model;
  CHECK(read_file(model) == unwatched);
  CHECK(image_of(read_file(o.out / "grid-00000004.png"), "grid").pixels.shape() == Shape{3, 70, 70});
  const auto rows = read_validation(o.out);
  REQUIRE(rows.size() == 2);
  CHECK((rows[0].first == 2 && rows[1].first == 4 && rows[1].second > 0));
  o.resume = true;
  o.steps = 6;
  train(o);
  CHECK(read_validation(o.out).size() == 3);
  CHECK(read_validation(o.out)[1] == rows[1]);

  const std::string html = read_file(write_run_page(o.out));
  CHECK_THAT(html, Contains("6 of 6 steps") && Contains("images kept back") && Contains("after 4 steps"));
  write_file(w.path / "run" / "checkpoint-00000004.safetensors", "damaged");
  const std::string list = list_runs(w.path);
  CHECK_THAT(list,
             Contains("gbm, 6 steps of 4 images") && Contains("model.safetensors                 whole"));
  CHECK_THAT(list, Contains("checkpoint-00000004.safetensors   ") && Contains("expected a safetensors file"));

  TrainOptions further = small(w.images, w.path / "further");
  adopt(further, load_model(model));
  further.from = model;
  CHECK(read_file(train(further).model) != unwatched);
  CHECK(load_model(w.path / "further" / "model.safetensors").notes.at("from") == model.string());

  Model trained = load_model(model);
  SampleOptions s{.steps = 3, .count = 5};
  Trajectory way(trained);
  s.watch = [&way](const Var& y, double level) { way.see(y, level); };
  SamplesFolder folder(w.path / "samples", json_of(s), false);
  const SampleResult made = sample(trained, s, &folder);
  folder.write(made, trained, true);
  way.write(w.path / "samples", made.images);
  CHECK(image_of(read_file(w.path / "samples" / "images" / "00004.png"), "image").pixels.shape() ==
        Shape{3, 8, 8});
  CHECK_THAT(read_file(w.path / "samples" / "trajectory.png"), Contains("acTL"));
}

TEST_CASE("judged in colour: by a classifier of their own, and without", "[evaluate]") {
  const Folder w;
  const Tensor noise = uniform(Key{4}, {420, 3, 8, 8});
  const std::string set = w.path / "set";
  for (const char* name : {"dim", "light"}) make_folder(fs::path(set) / name);
  for (Index n = 0; n < 420; ++n)
    write_png(fs::path(set) / (n % 2 ? "light" : "dim") / fmt::format("{:03}.png", n),
              (Var(noise.slice(0, n, n + 1).reshape({3, 8, 8})) * (n % 2 ? 1 : 0.4)).value());
  const Classifier c =
      train_classifier({.dataset = set, .out = w.path / "c.safetensors", .epochs = 8, .batch = 16});
  CHECK(c.network.image == Shape{3, 8, 8});
  CHECK(c.accuracy > 0.9);
  Reference reference(set, "", w.path / "c.safetensors");
  const Tensor samples = shuffled(reference.train().images, 0, 80);
  CHECK(reference.evaluate(samples).pixel_neighbour.value == 0);
  CHECK_THROWS_WITH(expect_samples(noise.slice(1, 0, 1).packed(), c), Contains("must be images (3,8,8)"));

  const Dataset train = load_dataset(set, ""), test = load_dataset(set, "", Split::test);
  const ValueComparison copies = compare_values(samples, train.images, test.images),
                        black =
                            compare_values(Tensor::full(samples.shape(), 0.01), train.images, test.images);
  CHECK(copies.neighbours == 0);
  CHECK((copies.neighbours_floor > 0.8 && copies.neighbours_floor < 1.2));
  CHECK(black.kernel > 5 * std::max(std::abs(copies.kernel), std::abs(copies.kernel_floor)));
}
