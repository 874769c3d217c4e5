// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { RecordTrie } from "../src/dispute/lib/RecordTrie.sol";
import { ReceiptEncoder } from "../src/dispute/lib/ReceiptEncoder.sol";
import { Cheats, Vm } from "./Cheats.sol";

/// @notice The golden vectors of agnt2/vm (transaction, records, root, receipt): every change of a record moves the root of the
///         record trie as the vector says, and the receipt is what its logs make.
contract VectorsTest is Cheats {
    struct Change {
        bytes32 key;
        bytes before; // empty: absent
        bytes afterwards;
        bytes proof;
    }

    struct Vector {
        string line;
        bool deposit;
        string outcome;
        uint64 gasUsed;
        bytes32 rootBefore;
        bytes32 rootAfter;
        Change[] changes;
        bytes logs;
        uint64[] sizes;
        bytes receipt;
    }

    string private constant TYPE =
        "Vector(string line,bool deposit,string outcome,uint64 gasUsed,bytes32 rootBefore,bytes32 rootAfter,Change[] changes,bytes logs,uint64[] sizes,bytes receipt)Change(bytes32 key,bytes before,bytes afterwards,bytes proof)";

    function test_Vectors() external view {
        Vm.DirEntry[] memory files = vm.readDir("../../agnt2/vm/testdata/vectors");
        vm.assertTrue(files.length > 7, "files are missing");
        for (uint256 f = 0; f < files.length; ++f) {
            bytes memory raw = vm.parseJsonTypeArray(vm.readFile(files[f].path), ".vectors", TYPE);
            Vector[] memory vectors = abi.decode(raw, (Vector[]));
            vm.assertTrue(vectors.length > 0, files[f].path);
            for (uint256 i = 0; i < vectors.length; ++i) {
                _check(vectors[i]);
            }
        }
    }

    function _check(Vector memory v) private view {
        bytes32 root = v.rootBefore;
        for (uint256 i = 0; i < v.changes.length; ++i) {
            Change memory c = v.changes[i];
            root = this.update(root, c.key, _valueHash(c.before), _valueHash(c.afterwards), c.proof);
        }
        vm.assertEq(root, v.rootAfter, v.line);
        bytes memory made =
            this.assemble(v.deposit, keccak256(bytes(v.outcome)) == keccak256("succeeded"), v.gasUsed, v.logs, v.sizes);
        vm.assertEq(keccak256(made), keccak256(v.receipt), v.line);
    }

    function _valueHash(bytes memory record) private pure returns (bytes32) {
        return record.length == 0 ? bytes32(0) : keccak256(record);
    }

    /// @dev External, because proofs are read from calldata.
    function update(
        bytes32 root,
        bytes32 key,
        bytes32 oldHash,
        bytes32 newHash,
        bytes calldata proof
    )
        external
        pure
        returns (bytes32 newRoot)
    {
        uint256 used;
        (newRoot, used) = RecordTrie.update(root, key, oldHash, newHash, proof, 0);
        vm.assertEq(used, proof.length);
    }

    function assemble(
        bool deposit,
        bool ok,
        uint64 gasUsed,
        bytes calldata logs,
        uint64[] calldata sizes
    )
        external
        pure
        returns (bytes memory)
    {
        ReceiptEncoder.Bloom memory bloom;
        uint256 pos;
        for (uint256 i = 0; i < sizes.length; ++i) {
            ReceiptEncoder.add(bloom, logs[pos:pos + sizes[i]]);
            pos += sizes[i];
        }
        return ReceiptEncoder.encode(deposit, ok, gasUsed, bloom, logs);
    }
}
