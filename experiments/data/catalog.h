// `dale data`: which files the named data sets consist of, by digest; which of them are here; and how to
// fetch those that are not. A file counts as the published one when the MD5 of its contents is, however it
// was compressed since. Sources are tried in order: the folders where data sets are looked for, the system's
// among them, then the published mirrors. What was downloaded gets its name once its digest is right.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace dale {

struct CatalogFile {
  const char* stem;      // its name without .gz
  const char* contents;  // MD5 of the file, "" where only the other is published
  const char* gzipped;   // MD5 of the published .gz file, "" where contents is known
};

struct CatalogEntry {
  const char* name;
  std::vector<std::string> mirrors;  // what is in front of a file's name, with the slash
  std::vector<CatalogFile> files;
};

/// Throws std::invalid_argument for an unknown name.
const CatalogEntry& catalog_entry(const std::string& name);

/// Whether the file at `path` is the published one: not if it is damaged or cannot be read.
bool is_published(const std::filesystem::path& path, const CatalogFile& file);

struct FetchOptions {
  std::vector<std::string> mirrors;  // instead of the published ones, if any
  long stall = 20;                   // a mirror is given up after so many seconds below 2 KiB per second
};

/// FOLDER/STEM.gz, made from the first mirror that has the published file; says on stderr which were tried in
/// vain. Throws std::runtime_error, with each mirror's reason and what to do by hand, when none has;
/// FOLDER/STEM.gz is then not there. Throws also when another file has one of its names.
std::filesystem::path fetch_file(const CatalogEntry& entry, const CatalogFile& file,
                                 const std::filesystem::path& folder, const FetchOptions& options);

/// Every file of a data set that is not in one of the folders already, into the first of them.
void fetch_dataset(const std::string& name, const std::string& data_option, const FetchOptions& options);

/// A line for each part of each data set: where it is, or how to get it. With `verify` each file is compared
/// with its digest, and `sound` becomes false if one differs.
std::string data_report(const std::string& data_option, bool verify, bool& sound);

}  // namespace dale
