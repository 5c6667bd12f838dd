// CIFAR-10 (Krizhevsky 2009): 32 × 32 pixels in colour, ten classes. A record of its binary version is a byte
// of label and 3,072 of pixels, the planes of red, green and blue. Taken are, in this order, of
// FOLDER/cifar10:
//   cifar-10-binary.tar.gz                  as published, which `dale data --fetch cifar10` gets
//   data_batch_1.bin … 5.bin, test_batch.bin   what is in it
//   train.bin.gz, test.bin.gz               records of another choice, gzipped or not
#pragma once

#include "experiments/data/dataset.h"

namespace dale {

constexpr const char* cifar_name = "cifar10";

/// The first FOLDER/cifar10 with any of these, in the folders of dataset_folders.
std::optional<std::filesystem::path> find_cifar(const std::string& data_option);
/// Throws as load_dataset.
Dataset load_cifar(const std::string& data_option, Split split);

}  // namespace dale
