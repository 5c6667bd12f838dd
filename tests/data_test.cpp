// Data sets: fetched from mirrors that fail in every way they can, images of the user's own, and batches.
#include <algorithm>

#include "experiments/data/catalog.h"
#include "experiments/data/dataset.h"
#include "experiments/data/idx.h"
#include "experiments/pictures/image.h"
#include "experiments/run/batches.h"
#include "tensor/npy.h"
#include "tests/folder.h"
#include "tests/server.h"

using namespace dale;

namespace {

/// One file "x", published with these contents.
struct Publication {
  std::string contents = std::string(5000, 'd') + "ata", digest = md5(contents), packed = gzipped(contents);
  CatalogEntry entry{"test", {}, {{"x", digest.c_str(), ""}}};
};

}  // namespace

TEST_CASE("fetching goes from mirror to mirror until one gives the published file", "[data]") {
  const Folder folder;
  const Publication p;
  const Server server(p.packed);
  const std::string refused = "http://127.0.0.1:1/";  // a port of nobody's
  std::vector<std::string> bad{refused};
  for (const char* kind : {"missing", "redirect", "corrupt", "truncate", "stall"})
    bad.push_back(server.mirror(kind));

  const auto fetch = [&](const std::vector<std::string>& mirrors) {
    fetch_file(p.entry, p.entry.files[0], folder.path / "test", {mirrors, 1});
  };
  // Of curl's, by version, "Couldn't" or "Could not".
  CHECK_THROWS_WITH(fetch(bad), Contains("test has no x.gz: no mirror gave it (" + refused + "x.gz: Could") &&
                                    Contains(" connect to server; ") &&
                                    Contains("missing/x.gz: HTTP response code said error") &&
                                    Contains("redirect/x.gz: Number of redirects hit maximum amount") &&
                                    Contains("corrupt/x.gz: what came is not the published file") &&
                                    Contains("truncate/x.gz: Transferred a partial file") &&
                                    Contains("stall/x.gz: Timeout was reached") &&
                                    Contains("by hand, put it there") && !Contains("\n"));
  CHECK(fs::is_empty(folder.path / "test"));

  std::vector<std::string> all(bad.begin(), bad.end() - 1);  // the silence of one is long enough
  all.push_back(server.mirror("good"));
  all.push_back(server.mirror("unused"));
  const int before = server.requests();
  fetch(all);
  CHECK(server.requests() - before == 13);  // nine of them of the redirections
  CHECK(read_file(folder.path / "test" / "x.gz") == p.packed);
  CHECK(std::distance(fs::directory_iterator(folder.path / "test"), fs::directory_iterator()) == 1);
  CHECK(is_published(folder.path / "test" / "x.gz", p.entry.files[0]));

  write_file(folder.path / "test" / "x.gz", "something of the user's");
  REFUSES(fetch(all), "x.gz is not the published file: move it away, then fetch again");
  CHECK(read_file(folder.path / "test" / "x.gz") == "something of the user's");
}

TEST_CASE("a mirror that sends a little for ever is given up", "[data]") {
  const Folder folder;
  const Publication p;
  const Server server(std::string(1 << 16, 'x'));
  REFUSES(fetch_file(p.entry, p.entry.files[0], folder.path, {{server.mirror("trickle")}, 2}),
          "trickle/x.gz: Timeout was reached");
}

TEST_CASE("the catalog knows the files that the system's package installs", "[data]") {
  REFUSES(catalog_entry("mnits"), "unknown data set 'mnits'; did you mean 'mnist'?");
  CHECK(md5("") == "d41d8cd98f00b204e9800998ecf8427e");
  for (const std::string& name : dataset_names()) {
    CHECK(catalog_entry(name).mirrors.size() >= 2);
    CHECK(catalog_entry(name).files.size() == 4);
  }
  const fs::path folder = "/usr/share/datasets/fashion-mnist";
  for (const CatalogFile& file : catalog_entry("fashion-mnist").files) {
    const auto path = idx_file(folder, file.stem);
    REQUIRE(path);
    CHECK(is_published(*path, file));
  }
  bool sound = true;
  CHECK_THAT(data_report("", false, sound), Contains("fashion-mnist train") && Contains(folder.string()));
  CHECK(sound);
}

TEST_CASE("data sets are found, loaded and checked", "[data]") {
  const Folder folder, other;
  const std::string option = folder.path, kmnist = folder / "kmnist", images = "/train-images-idx3-ubyte.gz",
                    labels = "/train-labels-idx1-ubyte";
  make_folder(kmnist);
  write_file(kmnist + images, gzipped(idx_head({0x803, 2, 28, 28}) + std::string(2 * 784, '\xff')));
  write_file(kmnist + labels, idx_head({0x801, 2}) + std::string(2, 9));

  const char* variable = std::getenv("DALE_DATA");
  const std::string before = variable ? variable : "";
  setenv("DALE_DATA", option.c_str(), 1);
  CHECK(dataset_folders("here") == std::vector<fs::path>{"here", option, "./data", "/usr/share/datasets"});
  CHECK(find_dataset("kmnist", other.path.string()) == kmnist);
  unsetenv("DALE_DATA");
  CHECK(dataset_folders("") == std::vector<fs::path>{"./data", "/usr/share/datasets"});

  const Dataset data = load_dataset("kmnist", option);
  CHECK((data.name == "kmnist" && data.folder == kmnist));
  CHECK(data.images.shape() == Shape{2, 1, 28, 28});
  CHECK(data.images.to_vector() == std::vector<real>(2 * 784, 1));
  CHECK(data.labels.to_vector() == std::vector<std::int32_t>{9, 9});

  REFUSES(load_dataset("emnist", ""), "unknown data set 'emnist'; did you mean 'mnist'?");
  const fs::path here = fs::current_path();
  fs::current_path(other.path);  // where ./data is missing
  REFUSES(load_dataset("kmnist", option, Split::test),
          "no kmnist/t10k-images-idx3-ubyte[.gz] with t10k-labels-idx1-ubyte[.gz] in any of the folders " +
              option +
              ", ./data, /usr/share/datasets; to get this data set, run `dale data --fetch kmnist`, or put");
  fs::current_path(here);
  CHECK(dataset_remedy("mnist") ==
        "run `dale data --fetch mnist`, or put its four idx files into ./data/mnist/");
  CHECK(dataset_remedy("fashion-mnist")
            .starts_with("run `apt-get install dataset-fashion-mnist` or `dale data"));

  for (const auto& [file, bytes, message] :
       {std::tuple(labels, idx_head({0x801, 2}) + std::string(2, 10), "a label 10; expected 0 to 9"),
        std::tuple(images, idx_head({0x803, 3, 28, 28}) + std::string(3 * 784, 0),
                   "3 images and 2 labels; expected as many of"),
        std::tuple(images, idx_head({0x803, 0, 28, 28}), "0 images and 2 labels; expected as many of"),
        std::tuple(images, idx_head({0x803, 2, 27, 28}) + std::string(2 * 27 * 28, 0),
                   "images of 27x28; expected 28x28")}) {
    write_file(kmnist + file, bytes);
    CHECK_THROWS_WITH(load_dataset("kmnist", option),
                      Contains(message) && Contains(kmnist + file) && !Contains("\n"));
  }
  if (variable) setenv("DALE_DATA", before.c_str(), 1);
}

TEST_CASE("a named set with only its test files is trained on without every fifth of them", "[data]") {
  const Folder folder;
  std::string pixels, labels;
  for (int n = 0; n < 10; ++n) {
    pixels += std::string(784, static_cast<char>(n));
    labels += static_cast<char>(n);
  }
  const fs::path kmnist = folder.path / "kmnist";
  write_part(kmnist, "t10k", pixels, labels);
  const Dataset train = load_dataset("kmnist", folder.path),
                test = load_dataset("kmnist", folder.path, Split::test);
  CHECK(find_dataset("kmnist", folder.path) == kmnist);
  CHECK(train.labels.to_vector() == std::vector<std::int32_t>{0, 1, 2, 3, 5, 6, 7, 8});
  CHECK(test.labels.to_vector() == std::vector<std::int32_t>{4, 9});
  CHECK(train.images.slice(0, 7, 8).to_vector() == std::vector<real>(784, real(8) / 255));
  for (const std::string& note : {train.note, test.note})
    CHECK(note ==
          "10 images, those of the test files alone: 8 for training, 2 kept for evaluation, every 5th");
  write_part(kmnist, "train", pixels, labels);
  CHECK(load_dataset("kmnist", folder.path).images.dim(0) == 10);
  CHECK(load_dataset("kmnist", folder.path, Split::test).images.dim(0) == 10);
  CHECK(load_dataset("kmnist", folder.path).note.empty());

  const Dataset chosen_by = load_dataset("kmnist:validation", folder.path, Split::test);
  CHECK(chosen_by.labels.to_vector() == std::vector<std::int32_t>{9});
  CHECK(chosen_by.note ==
        "10 images, those of the training files: 9 for training, 1 kept for evaluation, every 10th");
  CHECK(load_dataset("kmnist:validation", folder.path).images.dim(0) == 9);
  CHECK(find_dataset("kmnist:validation", folder.path) == kmnist);
  fs::remove(kmnist / "train-images-idx3-ubyte");
  REFUSES(load_dataset("kmnist:validation", folder.path), "no kmnist/train-images-idx3-ubyte[.gz]");
}

TEST_CASE("images of the user's own", "[data]") {
  const Folder folder;
  const fs::path flat = folder.path / "flat", tree = folder.path / "tree", npy = folder.path / "x.npy";
  for (int n = 0; n < 10; ++n) {
    const Tensor image = Tensor::full({4, 8}, real(n * 20) / 255);
    fs::create_directories(flat);
    write_png(flat / fmt::format("{}.PNG", n), image);
    fs::create_directories(tree / (n % 2 ? "odd" : "even"));
    write_png(tree / (n % 2 ? "odd" : "even") / fmt::format("{}.png", n), image);
  }
  write_file(flat / ".hidden", "");
  write_file(tree / "odd" / "notes.txt", "");
  write_npy(npy, load_dataset(flat, "").images);

  const Dataset of_flat = load_dataset(flat, ""), of_tree = load_dataset(tree, "", Split::test),
                of_npy = load_dataset(npy, "");
  CHECK(of_flat.images.shape() == Shape{8, 1, 4, 8});
  CHECK((of_flat.classes == 0 && !of_flat.labels.defined()));
  CHECK(of_flat.images.slice(0, 4, 5).to_vector() == std::vector<real>(32, real(100) / 255));
  CHECK(of_flat.note == "10 images, in one part: 8 for training, 2 kept for evaluation, every 5th");
  CHECK(of_tree.classes == 2);
  CHECK(of_tree.labels.to_vector() == std::vector<std::int32_t>{0, 1});
  CHECK_THAT(of_tree.note, Contains("; 1 files that are neither PNG nor JPEG were left out"));
  CHECK(of_npy.images.shape() == Shape{7, 1, 4, 8});
  CHECK(of_flat.digests != of_npy.digests);

  write_file(flat / "0.PNG", png_of(1, 1, 8, 6, std::string("\0\x1e\x3c\x5a\x80", 5)));  // half transparent
  CHECK_THAT(load_dataset(flat, "", Split::train, {.grey = true, .height = 4, .width = 8}).note,
             Contains("1 resized and cropped to 4x8; 1 have transparency, which was dropped"));
}

TEST_CASE("images that will not do", "[data][errors]") {
  const Folder folder;
  const fs::path place = folder.path / "mine", npy = folder.path / "x.npy";
  const auto refuses = [&](const fs::path& what, const std::string& message) {
    CHECK_THROWS_WITH(load_dataset(what, ""),
                      Contains(what.string()) && Contains(message) && !Contains("\n"));
    CHECK_THROWS_AS(load_dataset(what, ""), std::runtime_error);
  };
  refuses(place, "no such folder; expected one of PNG or JPEG files, or a .npy file");
  make_folder(place);
  refuses(place, "no PNG or JPEG files; expected some, or a folder of them for each class");
  write_png(place / "a.png", Tensor::full({8, 8}, 0));
  refuses(place, "1 images; expected at least 5, because every 5th is kept for evaluation");
  write_png(place / "b.png", Tensor::full({8, 12}, 0));
  refuses(place, "b.png: a picture of (1,8,12) (colours, height, width); expected (1,8,8), like ");
  const std::string good = read_file(place / "a.png");
  std::string bad = good;
  bad[good.size() - 20] = static_cast<char>(bad[good.size() - 20] ^ 4);
  write_file(place / "b.png", bad);
  refuses(place, "b.png: a checksum does not match; expected a whole PNG file");
  make_folder(place / "class");
  refuses(place, "holds both images and folders; expected images, or a folder for each class");

  refuses(npy, "cannot read ");
  const std::pair<Tensor, const char*> arrays[] = {
      {Tensor::full({8, 8}, 0), "an array of shape (8,8); expected images (N,H,W), (N,C,H,W) or (N,H,W,C)"},
      {Tensor::full({9, 2, 8, 8}, 0), "an array of shape (9,2,8,8); expected images"},
      {Tensor::full({9, 8, 8, 4}, 0), "an array of shape (9,8,8,4); expected images"},
      {Tensor::full({9, 1, 8, 8}, std::nan("")), "the value at (0,0,0,0) is nan; expected finite numbers"},
      {Tensor::full({0, 1, 8, 8}, 0), "0 images; expected at least 5"}};
  for (const auto& [array, message] : arrays) {
    write_npy(npy, array);
    refuses(npy, message);
  }
}

TEST_CASE("batches: every image once an epoch, and the same whoever asks", "[data]") {
  std::vector<real> numbers;  // image i is of the number i
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 160; ++i) numbers.push_back(static_cast<real>(i / 16));
  for (int i = 0; i < 10; ++i) labels.push_back(i);
  const Tensor images({10, 1, 4, 4}, numbers);
  const IntTensor names({10}, labels);
  Batches in_order(images, names, Key{3}, 4);
  std::vector<std::int32_t> seen;
  for (Index step = 0; step < 5; ++step) {
    const Batch batch = in_order.at(step);
    CHECK(batch.images.shape() == Shape{4, 1, 4, 4});
    const std::vector<real> pixels = batch.images.to_vector();
    for (std::size_t b = 0; b < 4; ++b) {
      seen.push_back(batch.labels.to_vector()[b]);
      CHECK(std::vector<real>(16, static_cast<real>(seen.back())) ==
            std::vector<real>(pixels.begin() + b * 16, pixels.begin() + (b + 1) * 16));
    }
    CHECK(Batches(images, names, Key{3}, 4).at(step).images.to_vector() == pixels);
  }
  CHECK(std::vector(seen.begin(), seen.begin() + 10) != std::vector(seen.begin() + 10, seen.end()));
  for (int epoch : {0, 1})
    CHECK(std::is_permutation(labels.begin(), labels.end(), seen.begin() + epoch * 10));
}
