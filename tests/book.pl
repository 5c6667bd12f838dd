#!/usr/bin/perl
# What the book says of itself: the numbers of each chapter's equations ascend, and each is defined
# once, at the end of an indented line; every number cited in text or code is one of them; files that a chapter
# names exist; programs and what they print are those of examples/. Prints what is not so; exit status 1 if
# anything is not. Figures in README.md and the chapters name what made them in a comment,
#   <!-- made by: COMMAND at COMMIT -->    or    <!-- checked by: COMMAND => TEXT | TEXT … -->
# `book.pl claims` lists these, and `book.pl check BUILD` runs the second kind, whose output must have each text.
use strict;
use warnings;
use utf8;
use open qw(:std :utf8);
use Cwd 'abs_path';
use File::Basename;
use File::Temp 'tempdir';
chdir dirname($0) . '/..' or die;

my %folder = (I => 'tensor', II => 'autograd', III => 'nn', IV => 'diffusion', V => 'experiments');
my @texts = ('README.md', map { "$folder{$_}/README.md" } qw(I II III IV V));
my @sources = grep { !m{^tests/fixtures/|\.(safetensors|png|svg|gz|npy)$} && -f } split /\n/, `git ls-files -co --exclude-standard`;
my $wrong = 0;
sub wrong { print "book: @_\n"; $wrong = 1 }
sub lines { my ($path) = @_; open my $f, '<', $path or die "$path: $!"; my @all = <$f>; chomp @all; return @all }

if (@ARGV) {
  my ($mode, $build) = @ARGV;
  my $folder = $mode eq 'check' ? tempdir(CLEANUP => 1) : '';
  symlink abs_path($build), "$folder/build" if $folder;
  for my $text (@texts) {
    my ($n, @all) = (0, lines($text));
    for (@all) {
      ++$n;
      next unless /<!-- (made|checked) by: (.*?) -->/;
      if (!$folder) { print "$text:$n: $2\n"; next }
      next if $1 eq 'made';
      my ($command, $wanted) = split / => /, $2;
      my $said = qx{cd $folder && { $command; } 2>&1};
      utf8::decode($said);
      $said =~ s/ +/ /g;
      index($said, $_) >= 0 or wrong("$text:$n: $command does not give '$_'") for split / \| /, $wanted;
    }
  }
  exit $wrong;
}

# Equations.
my %count;
for my $chapter (keys %folder) {
  my ($text, $last) = ("$folder{$chapter}/README.md", 0);
  for (lines($text)) {
    next unless /^(?:> ?)?    .*\($chapter\.(\d+)\)\s*$/;
    wrong("$text: ($chapter.$1) is defined after ($chapter.$last)") if $1 != $last + 1;
    $last = $1;
  }
  $count{$chapter} = $last;
}
for my $source (@sources) {
  my $n = 0;
  for (eval { lines($source) }) {
    ++$n;
    while (/\(([IV]+)\.(\d+)\)/g) {
      wrong("$source:$n: there is no equation ($1.$2)") unless exists $count{$1} && $2 >= 1 && $2 <= $count{$1};
    }
  }
}

# Files.
my %named = map { $_ => 1, basename($_) => 1 } @sources;
for my $text (@texts) {
  my ($n, $in) = (0, dirname($text));
  for (lines($text)) {
    ++$n;
    while (m{(?<![\w/.*])([\w./-]*\w\.(?:h|cpp|cu|sh|pl|js))\b}g) {
      my ($file, $base) = ($1, basename($1));
      next if $named{$file} || -e "$in/$file" || (index($file, '/') < 0 && $named{$base});
      next if $base =~ /^(x|program)\./ || grep { m{/\Q$file\E$} } @sources;  # any file's
      wrong("$text:$n: there is no $file");
    }
    while (/!\[[^\]]*\]\(([^)]+)\)/g) { wrong("$text:$n: there is no $1") unless -e "$in/$1" }
  }
}

# Programs.
for my $text (@texts) {
  my ($n, $mark, $block, @block) = (0, '', '');
  for (lines($text)) {
    ++$n;
    if ($block eq '' && /^```(\w*)/) { ($block, @block) = ($1 || 'text'); next }
    if ($block eq '') { $mark = /^<!-- (.*) -->$/ ? $1 : ''; next }
    if (!/^```$/) { push @block, $_; next }
    my ($said, $kind) = (join("\n", @block), $block);
    $block = '';
    if ($mark =~ /^(prints: |part of )?(examples\/\S+)$/) {
      my ($how, $path) = ($1 // '', $2);
      if (!-f $path) { wrong("$text:$n: there is no $path"); next }
      next if $how eq 'prints: ';  # tests/readme.sh runs it
      my $program = join("\n", lines($path));
      my $flat = sub { my $s = "\n" . shift() . "\n"; $s =~ s/\n +/\n/g; $s };
      my $same = $how eq 'part of ' ? index($flat->($program), $flat->($said)) >= 0 : $said eq $program;
      wrong("$text:$n: the block is not (${how}$path)") unless $same;
    } elsif ($kind eq 'cpp' && $text ne 'README.md') {
      wrong("$text:$n: a program that is none of examples/");
    }
  }
}
exit $wrong;
