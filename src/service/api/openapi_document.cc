#include "service/api/openapi_document.h"

namespace offhook::service {
namespace {

// clang-format off
// Kept true by tests/service/api and tests/api: every path and method here has its route and every route is
// here, and what a running server answers passes these schemas.
constexpr std::string_view kDocument = R"json({
"openapi": "3.1.0",
"info": {
  "title": "offhook",
  "version": "1",
  "description": "Calls, users, blocks and revocations for an app's backend, and relay credentials for its users. docs/api.md shows each with an example."
},
"servers": [{"url": "/"}],
"security": [{"key": []}],
"paths": {
  "/api/calls": {
    "get": {
      "operationId": "listCalls",
      "summary": "Live calls and the last ones that are over, the youngest dial first",
      "parameters": [
        {"name": "user", "in": "query", "description": "calls of this user alone, as caller or callee", "schema": {"$ref": "#/components/schemas/User"}},
        {"name": "state", "in": "query", "schema": {"enum": ["live", "ended"]}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}},
        {"name": "cursor", "in": "query", "description": "next_cursor of the page before", "schema": {"type": "string"}}
      ],
      "responses": {
        "200": {"description": "A page", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    },
    "post": {
      "operationId": "placeCall",
      "summary": "Asks every device of the caller to call the callee; the first that does makes the call",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {
          "type": "object", "required": ["caller", "callee"],
          "properties": {
            "caller": {"$ref": "#/components/schemas/User"}, "callee": {"$ref": "#/components/schemas/User"},
            "media": {
              "description": "audio alone, unless this says something else",
              "type": "object", "properties": {"audio": {"type": "boolean"}, "video": {"type": "boolean"}}
            }
          }
        }}}
      },
      "responses": {
        "202": {"description": "They are asked", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Placed"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "409": {"$ref": "#/components/responses/Error"},
        "413": {"$ref": "#/components/responses/Error"},
        "415": {"$ref": "#/components/responses/Error"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/calls/{call}": {
    "parameters": [{"$ref": "#/components/parameters/call"}],
    "get": {
      "operationId": "getCall",
      "summary": "One call with its timeline and verdict; its two users may ask with their tokens",
      "security": [{"key": []}, {"token": []}],
      "responses": {
        "200": {"description": "The call", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CallWithTimeline"}}}},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "404": {"$ref": "#/components/responses/Error"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/calls/{call}/end": {
    "parameters": [{"$ref": "#/components/parameters/call"}],
    "post": {
      "operationId": "endCall",
      "summary": "Ends a call for both sides: hangup, or canceled before anybody accepted",
      "responses": {
        "200": {"description": "The call, over", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CallWithTimeline"}}}},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "404": {"$ref": "#/components/responses/Error"},
        "409": {"$ref": "#/components/responses/Error"},
        "413": {"$ref": "#/components/responses/Error"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/users/{user}": {
    "parameters": [{"$ref": "#/components/parameters/user"}],
    "get": {
      "operationId": "getUser",
      "summary": "The devices of a user that are signed in, and whether one is in a call",
      "responses": {
        "200": {"description": "Presence; of a user who never signed in as well", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Presence"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/users/{user}/blocks": {
    "parameters": [{"$ref": "#/components/parameters/user"}],
    "get": {
      "operationId": "listBlocks",
      "summary": "Whom a user has blocked, in the order of their names",
      "parameters": [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}},
        {"name": "cursor", "in": "query", "description": "next_cursor of the page before", "schema": {"type": "string"}}
      ],
      "responses": {
        "200": {"description": "A page", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Blocks"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/users/{user}/blocks/{peer}": {
    "parameters": [
      {"$ref": "#/components/parameters/user"},
      {"name": "peer", "in": "path", "required": true, "description": "another user", "schema": {"$ref": "#/components/schemas/User"}}
    ],
    "put": {
      "operationId": "blockUser",
      "summary": "The user has blocked the peer from now on: calls between the two end before they ring; said twice is said once",
      "responses": {
        "200": {"description": "So it is", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Block"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "413": {"$ref": "#/components/responses/Error"},
        "429": {"$ref": "#/components/responses/TooManyRequests"},
        "507": {"$ref": "#/components/responses/Error"}
      }
    },
    "delete": {
      "operationId": "unblockUser",
      "summary": "The user has not blocked the peer from now on, whether they had or not",
      "responses": {
        "200": {"description": "So it is", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Block"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "413": {"$ref": "#/components/responses/Error"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/revocations": {
    "post": {
      "operationId": "revokeUser",
      "summary": "Signs a user out everywhere: tokens issued until now count no more, sessions, calls and relay allocations end",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {
          "type": "object", "required": ["user"], "properties": {"user": {"$ref": "#/components/schemas/User"}}
        }}}
      },
      "responses": {
        "201": {"description": "In force", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Revocation"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "413": {"$ref": "#/components/responses/Error"},
        "415": {"$ref": "#/components/responses/Error"},
        "429": {"$ref": "#/components/responses/TooManyRequests"},
        "507": {"$ref": "#/components/responses/Error"}
      }
    }
  },
  "/api/openapi.json": {
    "get": {
      "operationId": "getDocument",
      "summary": "This document",
      "security": [{}],
      "responses": {
        "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object", "required": ["openapi", "info", "paths"]}}}},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/turn/credentials": {
    "get": {
      "operationId": "getTurnCredentials",
      "summary": "Time-limited credentials for the relay, for the user of the token",
      "security": [{"token": []}],
      "responses": {
        "200": {"description": "As the browser and the REST draft call it", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TurnCredentials"}}}},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  },
  "/api/dev/token": {
    "get": {
      "operationId": "getDevToken",
      "summary": "A token for anybody; there with --dev alone",
      "security": [{}],
      "parameters": [{"name": "user", "in": "query", "required": true, "schema": {"$ref": "#/components/schemas/User"}}],
      "responses": {
        "200": {"description": "A token", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DevToken"}}}},
        "400": {"$ref": "#/components/responses/Error"},
        "429": {"$ref": "#/components/responses/TooManyRequests"}
      }
    }
  }
},
"components": {
  "securitySchemes": {
    "key": {"type": "http", "scheme": "bearer", "description": "an API key (--api-key, or the file api-keys in the state directory)"},
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "the token by which the backend vouches for a user"}
  },
  "parameters": {
    "call": {"name": "call", "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/CallId"}},
    "user": {"name": "user", "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/User"}}
  },
  "responses": {
    "Error": {"description": "What is wrong, for a program and for a person", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
    "Unauthorized": {
      "description": "No key or token, or one that does not count here",
      "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    },
    "TooManyRequests": {
      "description": "This address asks too often",
      "headers": {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}},
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    }
  },
  "schemas": {
    "Error": {
      "type": "object", "required": ["error"], "additionalProperties": false,
      "properties": {"error": {
        "type": "object", "required": ["code", "message"], "additionalProperties": false,
        "properties": {"code": {"type": "string", "pattern": "^[a-z_]+$"}, "message": {"type": "string", "minLength": 1}}
      }}
    },
    "CallId": {"type": "string", "pattern": "^c_[A-Za-z0-9_-]{22,62}$"},
    "User": {"type": "string", "minLength": 1, "maxLength": 128},
    "Reason": {"enum": ["hangup", "canceled", "declined", "answered_elsewhere", "declined_elsewhere", "busy", "no_answer", "unreachable", "media_denied", "ice_failed", "ice_lost", "signaling_lost", "credentials", "blocked", "server_shutdown", "error"]},
    "Told": {
      "description": "what one end was told", "type": "object", "required": ["reason", "sentence", "retryable"], "additionalProperties": false,
      "properties": {
        "reason": {"$ref": "#/components/schemas/Reason"},
        "sentence": {"type": "string", "minLength": 1},
        "retryable": {"type": "boolean", "description": "dialling again can help"}
      }
    },
    "Call": {
      "type": "object",
      "required": ["call", "caller", "callee", "media", "state", "accepted", "connected", "dialled_at", "lasted_ms", "verdict"],
      "properties": {
        "call": {"$ref": "#/components/schemas/CallId"},
        "caller": {"$ref": "#/components/schemas/User"},
        "callee": {"$ref": "#/components/schemas/User"},
        "media": {
          "type": "object", "required": ["audio", "video"], "additionalProperties": false,
          "properties": {"audio": {"type": "boolean"}, "video": {"type": "boolean"}}
        },
        "state": {"enum": ["dialing", "ringing", "accepted", "connected", "ended"]},
        "accepted": {"type": "boolean"},
        "connected": {"type": "boolean", "description": "both ends decoded media"},
        "dialled_at": {"type": "string", "format": "date-time"},
        "lasted_ms": {"type": "integer", "minimum": 0, "description": "from the dial to the end, or until now"},
        "room": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$", "description": "of a call between two of its members; else absent"},
        "verdict": {
          "description": "null while the call lives; a user is told their own end's alone",
          "type": ["object", "null"], "minProperties": 1, "additionalProperties": false,
          "properties": {"caller": {"$ref": "#/components/schemas/Told"}, "callee": {"$ref": "#/components/schemas/Told"}}
        }
      }
    },
    "CallWithTimeline": {
      "allOf": [{"$ref": "#/components/schemas/Call"}], "required": ["timeline"], "unevaluatedProperties": false,
      "properties": {"timeline": {
        "type": "array", "minItems": 1, "maxItems": 64,
        "items": {
          "type": "object", "required": ["offset_ms", "event"], "additionalProperties": false,
          "properties": {"offset_ms": {"type": "integer", "minimum": 0, "description": "since the dial"}, "event": {"type": "string", "minLength": 1}}
        }
      }}
    },
    "Page": {
      "type": "object", "required": ["calls", "next_cursor"], "additionalProperties": false,
      "properties": {
        "calls": {"type": "array", "maxItems": 100, "items": {"allOf": [{"$ref": "#/components/schemas/Call"}], "unevaluatedProperties": false}},
        "next_cursor": {"type": ["string", "null"], "description": "null on the last page"}
      }
    },
    "Placed": {
      "type": "object", "required": ["call", "devices"], "additionalProperties": false,
      "properties": {
        "call": {"description": "the call's id once a device has dialled; before that there is no such call", "$ref": "#/components/schemas/CallId"},
        "devices": {"type": "integer", "minimum": 1, "description": "so many were asked"}
      }
    },
    "Presence": {
      "type": "object", "required": ["user", "online", "in_call", "sessions"], "additionalProperties": false,
      "properties": {
        "user": {"$ref": "#/components/schemas/User"},
        "online": {"type": "boolean", "description": "a device is connected"},
        "in_call": {"type": "boolean", "description": "a device is in an accepted call"},
        "sessions": {"type": "array", "items": {
          "type": "object", "required": ["session", "connected", "calls"], "additionalProperties": false,
          "properties": {
            "session": {"type": "string", "pattern": "^s_"},
            "connected": {"type": "boolean", "description": "false: it has 30 s to come back"},
            "calls": {"type": "array", "items": {"$ref": "#/components/schemas/CallId"}}
          }
        }}
      }
    },
    "Blocks": {
      "type": "object", "required": ["user", "blocks", "next_cursor"], "additionalProperties": false,
      "properties": {
        "user": {"$ref": "#/components/schemas/User"},
        "blocks": {"type": "array", "maxItems": 100, "items": {"$ref": "#/components/schemas/User"}},
        "next_cursor": {"type": ["string", "null"], "description": "null on the last page"}
      }
    },
    "Block": {
      "type": "object", "required": ["user", "peer", "blocked"], "additionalProperties": false,
      "properties": {
        "user": {"$ref": "#/components/schemas/User"},
        "peer": {"$ref": "#/components/schemas/User"},
        "blocked": {"type": "boolean", "description": "whether the user has blocked the peer"}
      }
    },
    "Revocation": {
      "type": "object", "required": ["user", "revoked_at", "survives_restart", "sessions_closed", "calls_ended"], "additionalProperties": false,
      "properties": {
        "user": {"$ref": "#/components/schemas/User"},
        "revoked_at": {"type": "string", "format": "date-time", "description": "tokens with iat at this second or before are refused"},
        "survives_restart": {"type": "boolean", "description": "false: the state directory could not be written"},
        "sessions_closed": {"type": "integer", "minimum": 0},
        "calls_ended": {"type": "integer", "minimum": 0}
      }
    },
    "TurnCredentials": {
      "type": "object", "required": ["username", "credential", "password", "ttl", "uris", "iceServers"], "additionalProperties": false,
      "properties": {
        "username": {"type": "string"}, "credential": {"type": "string"}, "password": {"type": "string"},
        "ttl": {"type": "integer", "minimum": 1},
        "uris": {"type": "array", "minItems": 1, "maxItems": 4, "items": {"type": "string", "pattern": "^(stun|turns?):"}},
        "iceServers": {"type": "array", "items": {
          "type": "object", "required": ["urls"], "additionalProperties": false,
          "properties": {"urls": {"type": "array", "items": {"type": "string"}}, "username": {"type": "string"}, "credential": {"type": "string"}}
        }}
      }
    },
    "DevToken": {
      "type": "object", "required": ["token", "user", "expires_in"], "additionalProperties": false,
      "properties": {"token": {"type": "string"}, "user": {"$ref": "#/components/schemas/User"}, "expires_in": {"type": "integer"}}
    }
  }
}
})json";
// clang-format on

}  // namespace

std::string_view openapi_document() { return kDocument; }

}  // namespace offhook::service
