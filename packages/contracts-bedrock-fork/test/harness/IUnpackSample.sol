// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IUnpackSample
/// @notice Structs of every shape that has a packed form, for the test of the generator; records and frames use few of them.
interface IUnpackSample {
    struct Fixed {
        bool first;
        bytes4 selector;
        uint16[3] numbers;
        uint128 middle;
        int128 signed;
        Inner inner;
        Inner[2] pair;
        bool last;
    }

    struct Inner {
        address account;
        bool flag;
    }

    struct Text {
        bool before;
        string text;
        Inner inner;
        bytes data;
        uint8 number;
        int128 signed;
        bool afterwards;
    }

    struct Lists {
        uint64[] numbers;
        Inner[] inners;
        Text text;
        bytes32[] hashes;
        Text[] texts;
        address[] accounts;
        bool last;
    }

    function fixedSize() external view returns (Fixed memory);
    function text() external view returns (Text memory);
    function lists() external view returns (Lists memory);
}
