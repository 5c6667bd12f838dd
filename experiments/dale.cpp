// The command line. Exit status: 0 done, 1 failed, 2 wrong usage; an error is one sentence on stderr.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "experiments/commands.h"
#include "experiments/run/ranks.h"
#include "experiments/run/stop.h"
#include "tensor/cpu/parallel.h"
#include "tensor/storage.h"
#include "tensor/version.h"

namespace dale {
namespace {

bool is_utf8(const std::string& text) {
  const nlohmann::json json(text);
  try {
    return !json.dump().empty();
  } catch (const nlohmann::json::exception&) { return false; }
}

/// The nearest option of the command that was meant, for an argument that is none.
std::string unknown_argument(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen[0];
  const std::string argument = app.remaining(true).at(0);
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) known.push_back(option->get_name());
  if (chosen.empty())
    for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(c->get_name());
  try {
    unknown_name(chosen.empty() ? "command or option" : "option", argument, known);
  } catch (const std::invalid_argument& error) { return error.what(); }
}

/// What to do about memory that was short: the options of the command that ask for less.
std::string smaller(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  std::string options;
  for (const char* option : {"--batch", "--count"})
    if (!chosen.empty() && chosen[0]->get_option_no_throw(option))
      options += (options.empty() ? ": use a smaller " : " or ") + std::string(option);
  return options;
}

/// Does what the command line says, and says on stderr what is wrong with it.
int run(CLI::App& app, int argc, char** argv) {
  try {
    for (int i = 0; i < argc; ++i)
      if (!is_utf8(argv[i])) invalid("argument {} is not UTF-8, which every file that dale writes is", i);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", version);
    return 0;
  } catch (const CLI::ExtrasError&) {
    say("dale: {}\n", unknown_argument(app));
  } catch (const CLI::RequiredError& error) {
    const bool extra = app.get_subcommands().empty() && !app.remaining(true).empty();
    say("dale: {} (dale --help lists the commands and options)\n",
        extra ? unknown_argument(app) : error.what());
  } catch (const CLI::ConversionError& error) {
    say("dale: {}; expected a number\n", error.what());
  } catch (const CLI::ParseError& error) {
    say("dale: {}\n", error.what());
  } catch (const std::invalid_argument& error) {
    say("dale: {}\n", error.what());
  } catch (const Stopped& stop) {
    say("dale: {}\n", stop.what());
    return 128 + stop.signal;
  } catch (const OutOfMemory& error) {
    say("dale: {}{}\n", error.what(), smaller(app));
    return 1;
  } catch (const std::bad_alloc&) {
    say("dale: out of memory{}\n", smaller(app));
    return 1;
  }
  return 2;
}

/// Nothing of ours is opened as descriptor 1 or 2, where reports go; to write to a closed stdout stays an
/// error. A reader who goes away, or a limit on the size of files, is an error of one write, not the
/// program's end.
void expect_little_of_the_system() {
  for (int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})  // the lowest that is free is opened
    if (fcntl(file, F_GETFD) < 0 && open("/dev/null", file == STDOUT_FILENO ? O_RDONLY : O_RDWR) < 0) return;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace
}  // namespace dale

int main(int argc, char** argv) {
  dale::expect_little_of_the_system();
  dale::Ranks ranks(argc, argv);
  CLI::App app("dale: a diffusion model that multiplies instead of adding");
  app.set_version_flag("--version", dale::version);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  dale::Common common;
  dale::add_commands(app, common);
  for (CLI::App* c : app.get_subcommands([](CLI::App*) { return true; }))
    c->parse_complete_callback([&common, c] {
      dale::set_threads(common.threads);
      const std::string name = c->get_name();
      if (dale::rank_count() > 1 && name != "train" && name != "tune" && name != "sample" &&
          name != "compare" && name != "info")
        dale::invalid("dale {} is for one process; ranks share dale train, tune, sample and compare", name);
    });
  int status = 1;
  try {
    status = dale::run(app, argc, argv);
    if (std::fflush(stdout) != 0)
      dale::failed("cannot write the results to stdout: {}", std::strerror(errno));
  } catch (const std::exception& error) {
    dale::say("dale: {}\n", error.what());
    status = 1;
  }
  return ranks.end(status);
}
