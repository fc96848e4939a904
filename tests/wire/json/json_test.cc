#include "wire/json/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace offhook::json {
namespace {

constexpr ParseLimits kLimits = {.max_bytes = 10'000, .max_depth = 16};

std::optional<ParseFault> fault_of(std::string_view text, ParseLimits limits = kLimits) {
  const auto document = parse(text, limits);
  if (document) return std::nullopt;
  return document.error().fault;
}

TEST(Parse, ReadsEveryKindOfValue) {
  const auto document =
      parse(R"({"a":"x","b":-5,"c":2.5,"d":true,"e":null,"f":[1,"y"],"g":{"h":false}})", kLimits);
  ASSERT_TRUE(document);
  const Value root = document->root();
  ASSERT_TRUE(root.is_object());
  EXPECT_EQ(root.size(), 7U);
  EXPECT_EQ(root.find("a")->string(), "x");
  EXPECT_EQ(root.find("b")->integer(), -5);
  EXPECT_EQ(root.find("b")->number(), -5.0);
  EXPECT_EQ(root.find("c")->number(), 2.5);
  EXPECT_FALSE(root.find("c")->integer());
  EXPECT_EQ(root.find("d")->boolean(), true);
  EXPECT_TRUE(root.find("e")->is_null());
  EXPECT_EQ(root.find("f")->size(), 2U);
  EXPECT_EQ(root.find("f")->at(1).string(), "y");
  EXPECT_TRUE(root.find("f")->at(2).is_null());
  EXPECT_EQ(root.find("g")->find("h")->boolean(), false);
  EXPECT_FALSE(root.find("z"));
  EXPECT_FALSE(root.find("a")->find("z"));
}

TEST(Parse, RefusesWhatIsNotJson) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "{}x",
                                      "{} {}",
                                      "{'a':1}",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "{\"a\" 1}",
                                      "nul",
                                      "01",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "NaN",
                                      "Infinity",
                                      "\"\t\"",
                                      "\"\\x\"",
                                      "\"\\ud800\"",
                                      "\"\xff\"",
                                      "\"\xc0\xaf\"",
                                      "\"\xed\xa0\x80\"",
                                      "// c\n{}",
                                      "{}/**/",
                                      "\xef\xbb\xbf{}"}) {
    EXPECT_EQ(fault_of(text), ParseFault::malformed) << text;
  }
  EXPECT_FALSE(fault_of(" {\"\\u20ac\":\"\\ud83d\\ude00 \xe2\x82\xac\"} \n"));
}

TEST(Parse, RefusesDuplicateKeysAtEveryDepth) {
  for (const std::string_view text :
       {R"({"a":1,"a":1})", R"({"a":1,"b":2,"a":3})", R"({"x":{"a":1,"a":2}})", R"([{"a":1,"a":2}])",
        R"({"a":{"b":1},"a":{"c":1,"d":2}})", R"({"a":1,"\u0061":2})"}) {
    EXPECT_EQ(fault_of(text), ParseFault::duplicate_key) << text;
  }
  EXPECT_FALSE(fault_of(R"({"a":{"a":{"a":1}},"b":{"a":1}})"));
}

TEST(Parse, HoldsItsLimits) {
  EXPECT_FALSE(fault_of("[1,2]", {.max_bytes = 5}));
  EXPECT_EQ(fault_of("[1,22]", {.max_bytes = 5}), ParseFault::too_long);
  const std::string deep = std::string(16, '[') + std::string(16, ']');
  EXPECT_FALSE(fault_of(deep));
  EXPECT_EQ(fault_of("[" + deep + "]"), ParseFault::too_deep);
}

TEST(Parse, SaysWhatIsWrong) {
  EXPECT_EQ(parse("{", kLimits).error().text(), "is not JSON at byte 1");
  EXPECT_EQ(parse(R"({"a":1,"a":2})", kLimits).error().text(), "has a key twice in one object");
  EXPECT_EQ(parse("[1,22]", {.max_bytes = 5}).error().text(), "is too long");
}

TEST(Parse, NumbersThatDoNotFitAreNeitherIntegerNorInfinite) {
  const auto document = parse("[9223372036854775807,9223372036854775808,1e999,1e5]", kLimits);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().at(0).integer(), INT64_MAX);
  EXPECT_FALSE(document->root().at(1).integer());
  EXPECT_FALSE(document->root().at(2).number());
  EXPECT_FALSE(document->root().at(3).integer());
  EXPECT_EQ(document->root().at(3).number(), 1e5);
}

class FieldsOf {
 public:
  explicit FieldsOf(std::string_view text)
      : document_(std::move(*parse(text, kLimits))), fields(document_.root()) {}

 private:
  Document document_;

 public:
  Fields fields;
};

TEST(Fields, ReadsWhatIsThere) {
  FieldsOf read(R"({"s":"x","i":7,"n":1.5,"b":false,"o":{},"a":[],"null":null})");
  Fields& fields = read.fields;
  EXPECT_EQ(fields.string("s", {.max = 1}), "x");
  EXPECT_EQ(fields.integer("i", 0, 7), 7);
  EXPECT_EQ(fields.number("n", 0, 2), 1.5);
  EXPECT_EQ(fields.number("i", 0, 9), 7.0);
  EXPECT_FALSE(fields.boolean("b"));
  EXPECT_TRUE(fields.object("o").is_object());
  EXPECT_TRUE(fields.array("a").is_array());
  EXPECT_FALSE(fields.optional_string("null", {.max = 1}));
  EXPECT_FALSE(fields.optional_integer("absent", 0, 1));
  EXPECT_FALSE(fields.has("null"));
  EXPECT_TRUE(fields.has("b"));
  EXPECT_TRUE(fields.ok());
}

std::string problem(std::string_view text, void (*read)(Fields&)) {
  FieldsOf of(text);
  read(of.fields);
  return of.fields.ok() ? "" : of.fields.problem().text();
}

TEST(Fields, SaysWhichFieldIsWrongAndHow) {
  EXPECT_EQ(problem("{}", [](Fields& f) { (void)f.string("x", {.max = 3}); }), "x is missing");
  EXPECT_EQ(problem(R"({"x":null})", [](Fields& f) { (void)f.integer("x", 0, 3); }), "x is missing");
  EXPECT_EQ(problem(R"({"x":1})", [](Fields& f) { (void)f.string("x", {.max = 3}); }), "x must be a string");
  EXPECT_EQ(problem(R"({"x":""})", [](Fields& f) { (void)f.string("x", {.max = 3}); }),
            "x must have 1 to 3 bytes");
  EXPECT_EQ(problem(R"({"x":"1234"})", [](Fields& f) { (void)f.optional_string("x", {.max = 3}); }),
            "x must have 1 to 3 bytes");
  EXPECT_EQ(problem(R"({"x":4})", [](Fields& f) { (void)f.integer("x", 1, 3); }),
            "x must be an integer from 1 to 3");
  EXPECT_EQ(problem(R"({"x":"2"})", [](Fields& f) { (void)f.optional_integer("x", 1, 3); }),
            "x must be an integer from 1 to 3");
  EXPECT_EQ(problem(R"({"x":1})", [](Fields& f) { (void)f.boolean("x"); }), "x must be true or false");
  EXPECT_EQ(problem(R"({"x":[]})", [](Fields& f) { (void)f.object("x"); }), "x must be an object");
  EXPECT_EQ(problem(R"({"x":{}})", [](Fields& f) { (void)f.array("x"); }), "x must be an array");
  EXPECT_EQ(problem(R"({"x":"1"})", [](Fields& f) { (void)f.optional_number("x", 0, 3); }).substr(0, 16),
            "x must be a numb");
  EXPECT_EQ(problem("[]", [](Fields& f) { (void)f.string("x", {.max = 3}); }), "the value must be an object");
}

TEST(Fields, TheFirstProblemStays) {
  EXPECT_EQ(problem("{}",
                    [](Fields& f) {
                      (void)f.string("first", {.max = 3});
                      (void)f.string("second", {.max = 3});
                      f.refuse("third", "is silly");
                    }),
            "first is missing");
}

TEST(Writer, WritesInTheOrderOfTheCaller) {
  Writer out;
  out.begin_object().field("b", "x").field("a", 1).field("t", true).key("list").begin_array();
  out.integer(-1)
      .string("two")
      .begin_object()
      .end_object()
      .null()
      .number(2.5)
      .end_array()
      .field("z", 0)
      .end_object();
  EXPECT_EQ(out.take(), R"({"b":"x","a":1,"t":true,"list":[-1,"two",{},null,2.5],"z":0})");
}

TEST(Writer, WhatItWritesIsReadAsItWas) {
  std::string every_letter;
  for (int code = 0; code < 128; ++code) every_letter += static_cast<char>(code);
  every_letter += "\xe2\x82\xac";
  Writer out;
  out.begin_object().field(every_letter, every_letter).end_object();
  const auto document = parse(out.text(), kLimits);
  ASSERT_TRUE(document) << out.text();
  EXPECT_EQ(document->root().find(every_letter)->string(), every_letter);
}

TEST(Writer, ANumberThatIsNoneBecomesNull) {
  Writer out;
  out.begin_array().number(std::nan("")).number(std::numeric_limits<double>::infinity()).end_array();
  EXPECT_EQ(out.text(), "[null,null]");
}

}  // namespace
}  // namespace offhook::json
