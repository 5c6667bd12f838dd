#include "experiments/page/page.h"

#include <openssl/evp.h>

#include "experiments/pictures/image.h"

namespace dale {
namespace {

constexpr const char* policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

constexpr const char* style = R"(
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
figure { margin: 0 0 1rem; } figcaption { font-size: .85rem; }
.answer { border-left: 4px solid var(--pen0, #0072B2); padding-left: 1rem; font-size: 1.08rem; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 270px), 1fr)); gap: 1.5rem; }
img, svg { max-width: 100%; height: auto; } img { image-rendering: pixelated; background: #fff; }
code, pre { overflow-wrap: anywhere; white-space: pre-wrap; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: right; vertical-align: bottom; padding: .2rem .45rem; }
th, td { border-bottom: 1px solid var(--line); }
.name { text-align: left; }
@media (max-width: 700px) {
  .cards, .cards tbody, .cards tr, .cards td { display: block; } .cards tr.heads { display: none; }
  .cards tr { border-bottom: 2px solid var(--line); padding: .5rem 0; }
  .cards td { text-align: right; border: 0; padding: .1rem 0; overflow: hidden; }
  .cards td::before { content: attr(data-head); float: left; opacity: .75; padding-right: 1rem; }
}
@media print { figure, tr { break-inside: avoid; } body { max-width: none; } }
)";

std::string base64(const std::string& bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return out;
}

}  // namespace

std::string picture(const Tensor& image, const std::string& alternative) {
  return fmt::format("<img width='{}' height='{}' alt='{}' src='data:image/png;base64,{}'>",
                     image.dim(image.rank() - 1), image.dim(image.rank() - 2), escape_html(alternative),
                     base64(png_bytes(image)));
}

std::string captioned(const std::string& content, const std::string& caption) {
  return fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n", content, escape_html(caption));
}

std::string html_table(const std::vector<std::string>& heads,
                       const std::vector<std::vector<std::string>>& rows, int names) {
  const auto kind = [&](std::size_t i) { return static_cast<int>(i) < names ? " class='name'" : ""; };
  std::string html = "<table class='cards'><tbody><tr class='heads'>";
  for (std::size_t i = 0; i < heads.size(); ++i)
    html += fmt::format("<th{}>{}</th>", kind(i), escape_html(heads[i]));
  for (const auto& row : rows) {
    html += "</tr>\n<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      html +=
          fmt::format("<td{} data-head='{}'>{}</td>", kind(i), escape_html(heads[i]), escape_html(row[i]));
  }
  return html + "</tr></tbody></table>\n";
}

std::string page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
      "<meta http-equiv='Content-Security-Policy' content=\"{}\">"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>"
      "<title>dale: {}</title><style>{}@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n"
      "</style></head><body>\n<h1>{}</h1>\n{}</body></html>\n",
      policy, escape_html(title), style, dark_pens, escape_html(title), body);
}

}  // namespace dale
